import type { Metadata } from "next";
import { redirect } from "next/navigation";
import { ResetPasswordForm } from "@/components/sign-in/ResetPasswordForm";

export const metadata: Metadata = { title: "Choose a new password" };

/**
 * Links that confirm an address lead here with `confirms`, if another browser has signed up. Also for somebody who is
 * signed in: the link may be for another account.
 */
export default async function ResetPasswordPage({ searchParams }: PageProps<"/reset-password">) {
  const { token, confirms } = await searchParams;
  if (typeof token !== "string") redirect("/forgot-password");
  return <ResetPasswordForm token={token} confirms={confirms !== undefined} />;
}
