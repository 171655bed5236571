import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { ForgotPasswordForm } from "@/components/sign-in/ForgotPasswordForm";
import { config } from "@/lib/config";

export const metadata: Metadata = { title: "Forgot your password?" };

export default function ForgotPasswordPage() {
  if (!config.mail) notFound();
  return <ForgotPasswordForm isMailLocal={config.isMailLocal} />;
}
