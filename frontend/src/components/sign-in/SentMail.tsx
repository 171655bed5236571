"use client";

import { useEffect, useRef, useState, type ReactNode } from "react";
import { sendVerification } from "@/services/auth";
import { explainRefusal } from "@/services/explain_refusal";
import styles from "./AuthForm.module.css";

export function MailIsLocal() {
  return (
    <span>
      This server sends no mail to the world: the link is printed in the terminal where{" "}
      <code>make dev</code> runs.
    </span>
  );
}

interface SentMailProps {
  title: string;
  isMailLocal: boolean;
  children: ReactNode;
}

/** Takes the place of a form. */
export function SentMail({ title, isMailLocal, children }: SentMailProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  // The button that had the focus is gone.
  useEffect(() => heading.current?.focus(), []);
  return (
    <>
      <h1 className={styles.title} ref={heading} tabIndex={-1}>
        {title}
      </h1>
      <div className={styles.form}>
        {children}
        {isMailLocal && (
          <p className="notice">
            <MailIsLocal />
          </p>
        )}
      </div>
    </>
  );
}

export function SendAgain({ email }: { email: string }) {
  const [outcome, setOutcome] = useState("");
  const [isBusy, setIsBusy] = useState(false);

  function onClick() {
    setIsBusy(true);
    setOutcome("");
    sendVerification(email)
      .then(({ refusal }) => (refusal ? explainRefusal(refusal) : "Sent again."))
      .catch(() => explainRefusal({ status: 0 }))
      .then((text) => {
        setOutcome(text);
        setIsBusy(false);
      })
      .catch(() => undefined);
  }

  return (
    <span className={styles.again}>
      <button className="button secondary small" type="button" onClick={onClick} disabled={isBusy}>
        Send the link again
      </button>
      <span role="status">{outcome}</span>
    </span>
  );
}
