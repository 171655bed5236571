import type { Metadata } from "next";
import { redirect } from "next/navigation";
import { AccountPage } from "@/components/account/AccountPage";
import { getUser } from "@/lib/auth";
import { config, socialProviders } from "@/lib/config";

export const metadata: Metadata = { title: "Your account" };

/**
 * Links in mail lead here with `email`, and the connecting of another account without it. Either has `error` when it
 * has failed.
 */
export default async function Account({ searchParams }: PageProps<"/account">) {
  const { email, error } = await searchParams;
  const user = await getUser();
  if (!user) redirect(`/sign-in?to=account${email === "changed" ? "&verified=yes" : ""}`);
  const link = email === "changed" || email === "confirmed" ? email : undefined;
  return (
    <AccountPage
      apiUrl={config.apiUrl}
      user={{
        id: user.id,
        name: user.name,
        email: user.email,
        isEmailVerified: user.emailVerified,
        hasTwoFactor: user.twoFactorEnabled ?? false,
      }}
      hasMail={config.mail !== undefined}
      isMailLocal={config.isMailLocal}
      socialProviders={socialProviders()}
      emailNotice={link && error ? "invalid" : link}
      hasConnectingFailed={!link && error !== undefined}
    />
  );
}
