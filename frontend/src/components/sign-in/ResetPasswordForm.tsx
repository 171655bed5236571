"use client";

import Link from "next/link";
import { useState } from "react";
import { resetPassword } from "@/services/auth";
import { AuthForm, NewPasswordField } from "./AuthForm";
import { SentMail } from "./SentMail";

export function ResetPasswordForm({ token }: { token: string }) {
  const [isDone, setIsDone] = useState(false);

  if (isDone) {
    return (
      <SentMail title="Your password is changed" isMailLocal={false}>
        <p>You are signed out everywhere.</p>
        {/* Not a Link: whoever was signed in here has pages in the router's memory. */}
        <p>
          <a href="/sign-in">Sign in</a>
        </p>
      </SentMail>
    );
  }
  return (
    <AuthForm
      title="Choose a new password"
      action="Change the password"
      submit={async ({ password = "" }) => {
        const { refusal } = await resetPassword(token, password);
        if (!refusal) setIsDone(true);
        return refusal;
      }}
      remedy={({ code }) =>
        code === "INVALID_TOKEN" && <Link href="/forgot-password">Get a new link</Link>
      }
      footer={<Link href="/sign-in">Back to sign-in</Link>}
    >
      <NewPasswordField label="New password" />
    </AuthForm>
  );
}
