import type { Metadata } from "next";
import { SignInForm } from "@/components/SignInForm";
import { config } from "@/lib/config";

export const metadata: Metadata = { title: "Sign in" };

/** Links in mail lead here, with `verified` and, if they are no longer valid, `error`. */
export default async function SignInPage({ searchParams }: PageProps<"/sign-in">) {
  const { verified, error } = await searchParams;
  const link = verified && (error ? "invalid" : "followed");
  return (
    <SignInForm
      link={link || undefined}
      canReset={config.mail !== undefined}
      isMailLocal={config.isMailLocal}
    />
  );
}
