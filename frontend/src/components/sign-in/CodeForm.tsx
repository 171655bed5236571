"use client";

import { useEffect, useRef } from "react";
import { signInWithCode } from "@/services/two_factor";
import { AuthForm, Field } from "./AuthForm";

interface CodeFormProps {
  onDone: () => void;
  onBack: () => void;
}

/** The second step of a sign-in. */
export default function CodeForm({ onDone, onBack }: CodeFormProps) {
  const form = useRef<HTMLDivElement>(null);
  // The button that had the focus is gone.
  useEffect(() => form.current?.querySelector("input")?.focus(), []);

  return (
    <div ref={form}>
      <AuthForm
        title="Enter your code"
        action="Sign in"
        submit={async ({ code = "" }) => {
          const { refusal } = await signInWithCode(code);
          if (!refusal) onDone();
          return refusal;
        }}
        footer={
          <button type="button" className="link" onClick={onBack}>
            Back to sign-in
          </button>
        }
      >
        <p>
          From your authenticator app, or one of the backup codes that you have kept. A backup code
          works once.
        </p>
        <Field label="Code" name="code" autoComplete="one-time-code" maxLength={20} />
      </AuthForm>
    </div>
  );
}
