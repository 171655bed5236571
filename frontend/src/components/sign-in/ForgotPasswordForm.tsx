"use client";

import Link from "next/link";
import { useState } from "react";
import { requestPasswordReset } from "@/services/auth";
import { AuthForm, EmailField } from "./AuthForm";
import { SentMail } from "./SentMail";

export function ForgotPasswordForm({ isMailLocal }: { isMailLocal: boolean }) {
  const [email, setEmail] = useState<string | null>(null);

  if (email) {
    return (
      <SentMail title="Check your mail" isMailLocal={isMailLocal}>
        <p>
          If there is an account for <strong>{email}</strong>, a link to choose a new password is on
          its way. It is valid for one hour.
        </p>
        <p>
          <Link href="/sign-in">Sign in</Link>
        </p>
      </SentMail>
    );
  }
  return (
    <AuthForm
      title="Forgot your password?"
      action="Send me a link"
      submit={async ({ email = "" }) => {
        const { refusal } = await requestPasswordReset(email);
        if (!refusal) setEmail(email);
        return refusal;
      }}
      footer={<Link href="/sign-in">Back to sign-in</Link>}
    >
      <EmailField />
    </AuthForm>
  );
}
