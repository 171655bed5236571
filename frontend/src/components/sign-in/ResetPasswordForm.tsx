"use client";

import Link from "next/link";
import { useState } from "react";
import { resetPassword } from "@/services/auth";
import { AuthForm, NewPasswordField } from "./AuthForm";
import { SentMail } from "./SentMail";

interface ResetPasswordFormProps {
  token: string;
  /** The password is chosen to confirm the address of a new account. */
  confirms: boolean;
}

export function ResetPasswordForm({ token, confirms }: ResetPasswordFormProps) {
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
      notice={
        confirms && (
          <p className="notice" role="status">
            You opened this link in another browser than the one that signed up. Choose a password,
            so that only you know it. This also confirms your address.
          </p>
        )
      }
      footer={<Link href="/sign-in">Back to sign-in</Link>}
    >
      <NewPasswordField label="New password" />
    </AuthForm>
  );
}
