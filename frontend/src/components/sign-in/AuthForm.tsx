"use client";

import { useState, type FormEvent, type InputHTMLAttributes, type ReactNode } from "react";
import { useHydrated } from "@/hooks/useHydrated";
import type { Refusal } from "@/services/auth";
import { explainRefusal } from "@/services/explain_refusal";
import styles from "./AuthForm.module.css";

export function Field({
  label,
  ...input
}: { label: string } & InputHTMLAttributes<HTMLInputElement>) {
  return (
    <label className={styles.field}>
      <span>{label}</span>
      <input {...input} required />
    </label>
  );
}

export function EmailField({ label = "E-mail" }: { label?: string }) {
  return <Field label={label} name="email" type="email" autoComplete="email" />;
}

export function NewPasswordField({ label = "Password" }: { label?: string }) {
  return (
    <Field
      label={label}
      name="password"
      type="password"
      autoComplete="new-password"
      minLength={10}
      maxLength={128}
      placeholder="At least 10 characters"
    />
  );
}

interface AuthFormProps {
  title: string;
  action: string;
  /** Resolves with nothing once the page has moved on. */
  submit: (values: Record<string, string>) => Promise<Refusal | undefined>;
  /** What to offer below the reason for which a submission was refused. */
  remedy?: (refusal: Refusal) => ReactNode;
  notice?: ReactNode;
  /** Other ways to the same end. */
  alternatives?: ReactNode;
  footer: ReactNode;
  children: ReactNode;
}

export function AuthForm(props: AuthFormProps) {
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const [isBusy, setIsBusy] = useState(false);
  const isHydrated = useHydrated();

  function fail(failure: Refusal) {
    setRefusal(failure);
    setIsBusy(false);
  }

  function onSubmit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    setIsBusy(true);
    setRefusal(null);
    const values = Object.fromEntries(new FormData(event.currentTarget)) as Record<string, string>;
    props.submit(values).then(
      (failure) => failure && fail(failure),
      () => fail({ status: 0 }),
    );
  }

  return (
    <>
      <h1 className={styles.title}>{props.title}</h1>
      {/* `post` keeps the password out of the address even if the browser submits the form itself. */}
      <form className={styles.form} method="post" onSubmit={onSubmit}>
        {!refusal && props.notice}
        {props.children}
        {refusal && (
          <div className={`alert ${styles.refusal}`} role="alert">
            {explainRefusal(refusal)}
            {props.remedy?.(refusal)}
          </div>
        )}
        <button className="button" type="submit" disabled={!isHydrated || isBusy}>
          {props.action}
        </button>
      </form>
      {props.alternatives}
      <p className={styles.footer}>{props.footer}</p>
    </>
  );
}
