import { useState, type FormEvent, type ReactNode } from "react";
import { toApiError } from "@/services/errors";
import styles from "./account.module.css";

interface AccountFormProps {
  /** Tells it from the page's other forms. */
  label: string;
  action: string;
  submit: (values: Record<string, string>) => Promise<unknown>;
  /** What to say while it is being done, and when it has been done. */
  busy?: string | false;
  done: string;
  /** Whether what is entered cannot be submitted. */
  isRefused?: boolean;
  /** Whether to empty the fields then. */
  resets?: boolean;
  children?: ReactNode;
}

export function AccountForm(props: AccountFormProps) {
  const { label, action, submit, busy, done, isRefused = false, resets = false, children } = props;
  const [problem, setProblem] = useState<string | null>(null);
  const [isDone, setIsDone] = useState(false);
  const [isBusy, setIsBusy] = useState(false);

  function onSubmit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    setIsBusy(true);
    setIsDone(false);
    setProblem(null);
    submit(Object.fromEntries(new FormData(form)) as Record<string, string>)
      .then(() => {
        setIsDone(true);
        if (resets) form.reset();
      })
      .catch((failure: unknown) => setProblem(toApiError(failure).message))
      .finally(() => setIsBusy(false))
      .catch(() => undefined);
  }

  return (
    // `post` keeps passwords out of the address even if the browser submits the form itself.
    <form className={styles.form} method="post" aria-label={label} onSubmit={onSubmit}>
      {children}
      {problem && (
        <p className="alert" role="alert">
          {problem}
        </p>
      )}
      <div className={styles.actions}>
        <button type="submit" className="button small" disabled={isBusy || isRefused}>
          {action}
        </button>
        <span role="status" className={styles.hint}>
          {isBusy ? busy : isDone && done}
        </span>
      </div>
    </form>
  );
}
