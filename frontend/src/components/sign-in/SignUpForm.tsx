"use client";

import Link from "next/link";
import { useRouter } from "next/navigation";
import { useState } from "react";
import { signUp } from "@/services/auth";
import { AuthForm, EmailField, Field, NewPasswordField } from "./AuthForm";
import { SendAgain, SentMail } from "./SentMail";
import { SignInAlternatives, type SocialProvider } from "./SignInAlternatives";

interface SignUpFormProps {
  isMailLocal: boolean;
  socialProviders: SocialProvider[];
}

export function SignUpForm({ isMailLocal, socialProviders }: SignUpFormProps) {
  const router = useRouter();
  const [unverified, setUnverified] = useState<string | null>(null);

  if (unverified) {
    return (
      <SentMail title="Check your mail" isMailLocal={isMailLocal}>
        <p>
          We have sent a message to <strong>{unverified}</strong>. Open its link to confirm the
          address, then <Link href="/sign-in">sign in</Link>.
        </p>
        <p>
          <SendAgain email={unverified} />
        </p>
      </SentMail>
    );
  }
  return (
    <AuthForm
      title="Create an account"
      action="Create account"
      submit={async ({ name = "", email = "", password = "" }) => {
        const { data, refusal } = await signUp(name, email, password);
        if (data?.token) router.replace("/chat");
        else if (data) setUnverified(email);
        return refusal;
      }}
      alternatives={<SignInAlternatives socialProviders={socialProviders} target="/chat" />}
      footer={
        <>
          Have an account? <Link href="/sign-in">Sign in</Link>
        </>
      }
    >
      <Field label="Name" name="name" autoComplete="name" maxLength={100} />
      <EmailField />
      <NewPasswordField />
    </AuthForm>
  );
}
