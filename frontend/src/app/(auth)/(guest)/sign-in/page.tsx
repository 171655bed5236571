import type { Metadata } from "next";
import { SignInForm } from "@/components/sign-in/SignInForm";
import { config, socialProviders } from "@/lib/config";

export const metadata: Metadata = { title: "Sign in" };

/** Links in mail lead here, with `verified` and, if they are no longer valid, `error`. */
export default async function SignInPage({ searchParams }: PageProps<"/sign-in">) {
  const { verified, error, to } = await searchParams;
  return (
    <SignInForm
      notice={verified ? (error ? "invalid" : "followed") : error ? "social" : undefined}
      target={to === "account" ? "/account" : "/chat"}
      socialProviders={socialProviders()}
      canReset={config.mail !== undefined}
      isMailLocal={config.isMailLocal}
    />
  );
}
