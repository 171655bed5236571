"use client";

import Link from "next/link";
import { useRouter } from "next/navigation";
import { lazy, Suspense, useState } from "react";
import { signIn, type Refusal } from "@/services/auth";
import { AuthForm, EmailField, Field } from "./AuthForm";
import { MailIsLocal, SendAgain } from "./SentMail";
import { SignInAlternatives, type SocialProvider } from "./SignInAlternatives";

const CodeForm = lazy(() => import("./CodeForm"));

const NOTICES = {
  followed: "Your e-mail address is confirmed. You can sign in now.",
  invalid: "This link is no longer valid. Sign in to get a new one.",
  social:
    "You cannot sign in with this account. If you have a password here, sign in with it, and connect the account on your account page.",
};

interface SignInFormProps {
  /** How the person came here. */
  notice?: keyof typeof NOTICES;
  /** The path to go to afterwards. */
  target: string;
  socialProviders: SocialProvider[];
  canReset: boolean;
  isMailLocal: boolean;
}

export function SignInForm(props: SignInFormProps) {
  const { notice, target, socialProviders, canReset, isMailLocal } = props;
  const router = useRouter();
  const [email, setEmail] = useState("");
  const [needsCode, setNeedsCode] = useState(false);
  const goOn = () => router.replace(target);

  function remedy({ status, code }: Refusal) {
    if (code === "EMAIL_NOT_VERIFIED") {
      return (
        <>
          <SendAgain email={email} />
          {isMailLocal && <MailIsLocal />}
        </>
      );
    }
    if (status === 401 && canReset) {
      return (
        <span>
          If you have not confirmed your address yet,{" "}
          <Link href="/forgot-password">choose a new password</Link>.
        </span>
      );
    }
    if (status === 429 && canReset)
      return <Link href="/forgot-password">Choose a new password</Link>;
  }

  if (needsCode) {
    return (
      <Suspense>
        <CodeForm onDone={goOn} onBack={() => setNeedsCode(false)} />
      </Suspense>
    );
  }
  return (
    <AuthForm
      title="Welcome back"
      action="Sign in"
      submit={async ({ email = "", password = "" }) => {
        setEmail(email);
        const { data, refusal } = await signIn(email, password);
        if (data?.twoFactorRedirect) setNeedsCode(true);
        else if (data) goOn();
        return refusal;
      }}
      remedy={remedy}
      notice={
        notice && (
          <p className="notice" role="status">
            {NOTICES[notice]}
          </p>
        )
      }
      alternatives={
        <SignInAlternatives
          hasPasskeys
          socialProviders={socialProviders}
          target={target}
          onDone={goOn}
        />
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
