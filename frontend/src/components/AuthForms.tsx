"use client";

import Link from "next/link";
import { useRouter } from "next/navigation";
import { useState, type FormEvent, type InputHTMLAttributes, type ReactNode } from "react";
import { useHydrated } from "@/hooks/useHydrated";
import { authClient } from "@/lib/auth-client";
import styles from "./AuthForms.module.css";

interface AuthError {
  status: number;
  message?: string;
}

function explain({ status, message }: AuthError): string {
  if (status === 429) return "Too many attempts. Please wait a moment, then try again.";
  if (status === 0 || status >= 500) return "The server cannot be reached. Please try again.";
  return message || "That did not work. Please check what you entered.";
}

function Field({ label, ...input }: { label: string } & InputHTMLAttributes<HTMLInputElement>) {
  return (
    <label className={styles.field}>
      <span>{label}</span>
      <input {...input} required />
    </label>
  );
}

function EmailField() {
  return <Field label="E-mail" name="email" type="email" autoComplete="email" />;
}

interface AuthFormProps {
  title: string;
  action: string;
  submit: (values: Record<string, string>) => Promise<{ error: AuthError | null }>;
  alternative: { text: string; link: string; href: string };
  children: ReactNode;
}

function AuthForm({ title, action, submit, alternative, children }: AuthFormProps) {
  const [error, setError] = useState<string | null>(null);
  const [isBusy, setIsBusy] = useState(false);
  const isHydrated = useHydrated();
  const router = useRouter();

  function fail(failure: AuthError) {
    setError(explain(failure));
    setIsBusy(false);
  }

  function onSubmit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    setIsBusy(true);
    setError(null);
    const values = Object.fromEntries(new FormData(event.currentTarget)) as Record<string, string>;
    submit(values).then(
      ({ error: failure }) => (failure ? fail(failure) : router.replace("/chat")),
      () => fail({ status: 0 }),
    );
  }

  return (
    <>
      <h1 className={styles.title}>{title}</h1>
      {/* `post` keeps the password out of the address even if the browser submits the form itself. */}
      <form className={styles.form} method="post" onSubmit={onSubmit}>
        {children}
        {error && (
          <p className="alert" role="alert">
            {error}
          </p>
        )}
        <button className="button" type="submit" disabled={!isHydrated || isBusy}>
          {action}
        </button>
      </form>
      <p className={styles.alternative}>
        {alternative.text} <Link href={alternative.href}>{alternative.link}</Link>
      </p>
    </>
  );
}

export function SignInForm() {
  return (
    <AuthForm
      title="Welcome back"
      action="Sign in"
      submit={({ email = "", password = "" }) => authClient.signIn.email({ email, password })}
      alternative={{ text: "New here?", link: "Create an account", href: "/sign-up" }}
    >
      <EmailField />
      <Field label="Password" name="password" type="password" autoComplete="current-password" />
    </AuthForm>
  );
}

export function SignUpForm() {
  return (
    <AuthForm
      title="Create an account"
      action="Create account"
      submit={({ name = "", email = "", password = "" }) =>
        authClient.signUp.email({ name, email, password })
      }
      alternative={{ text: "Have an account?", link: "Sign in", href: "/sign-in" }}
    >
      <Field label="Name" name="name" autoComplete="name" maxLength={100} />
      <EmailField />
      <Field
        label="Password"
        name="password"
        type="password"
        autoComplete="new-password"
        minLength={8}
        maxLength={128}
        placeholder="At least 8 characters"
      />
    </AuthForm>
  );
}
