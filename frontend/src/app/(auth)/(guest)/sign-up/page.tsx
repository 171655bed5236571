import type { Metadata } from "next";
import { SignUpForm } from "@/components/sign-in/SignUpForm";
import { config, socialProviders } from "@/lib/config";

export const metadata: Metadata = { title: "Create an account" };

export default function SignUpPage() {
  return <SignUpForm isMailLocal={config.isMailLocal} socialProviders={socialProviders()} />;
}
