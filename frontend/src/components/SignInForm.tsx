"use client";

import Link from "next/link";
import { useRouter } from "next/navigation";
import { useState } from "react";
import { signIn, type Refusal } from "@/services/auth";
import { AuthForm, EmailField, Field } from "./AuthForm";
import { MailIsLocal, SendAgain } from "./SentMail";

const NOTICES = {
  followed: "Your e-mail address is confirmed. You can sign in now.",
  invalid: "This link is no longer valid. Sign in to get a new one.",
};

interface SignInFormProps {
  /** What became of a link in a mail. */
  link?: keyof typeof NOTICES;
  canReset: boolean;
  isMailLocal: boolean;
}

export function SignInForm({ link, canReset, isMailLocal }: SignInFormProps) {
  const router = useRouter();
  const [email, setEmail] = useState("");

  function remedy({ status, code }: Refusal) {
    if (code === "EMAIL_NOT_VERIFIED") {
      return (
        <>
          <SendAgain email={email} />
          {isMailLocal && <MailIsLocal />}
        </>
      );
    }
    if (status === 429 && canReset)
      return <Link href="/forgot-password">Choose a new password</Link>;
  }

  return (
    <AuthForm
      title="Welcome back"
      action="Sign in"
      submit={async ({ email = "", password = "" }) => {
        setEmail(email);
        const { refusal } = await signIn(email, password);
        if (!refusal) router.replace("/chat");
        return refusal;
      }}
      remedy={remedy}
      notice={
        link && (
          <p className="notice" role="status">
            {NOTICES[link]}
          </p>
        )
      }
      footer={
        <>
          New here? <Link href="/sign-up">Create an account</Link>
          {canReset && (
            <>
              <br />
              <Link href="/forgot-password">Forgot your password?</Link>
            </>
          )}
        </>
      }
    >
      <EmailField />
      <Field label="Password" name="password" type="password" autoComplete="current-password" />
    </AuthForm>
  );
}
