import { useEffect, useId, useRef, useState, type FormEvent, type ReactNode } from "react";
import { toApiError, type ApiError } from "@/services/errors";
import styles from "./Dialog.module.css";

interface DialogProps {
  title: string;
  action: string;
  isDangerous?: boolean;
  onSubmit: () => Promise<unknown>;
  /** What to offer below the reason for which it failed. */
  remedy?: (failure: ApiError) => ReactNode;
  onClose: () => void;
  children: ReactNode;
}

/** The browser's modal dialog keeps the focus inside, closes on Escape, and then restores the focus. */
export function Dialog(props: DialogProps) {
  const { title, action, isDangerous, onSubmit, remedy, onClose, children } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  const [isBusy, setIsBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);

  useEffect(() => {
    // React's strict mode runs this twice. Closing in between would report to `onClose` and end the dialog.
    if (!dialog.current!.open) dialog.current!.showModal();
  }, []);

  function submit(event: FormEvent) {
    event.preventDefault();
    setIsBusy(true);
    setError(null);
    onSubmit().then(
      () => dialog.current?.close(),
      (failure: unknown) => {
        setError(toApiError(failure));
        setIsBusy(false);
      },
    );
  }

  return (
    <dialog ref={dialog} className={styles.dialog} aria-labelledby={titleId} onClose={onClose}>
      <form onSubmit={submit}>
        <h2 id={titleId}>{title}</h2>
        {children}
        {error && (
          <div className="alert" role="alert">
            {error.message}
            {remedy?.(error)}
          </div>
        )}
        <div className={styles.actions}>
          <button
            type="button"
            className="button secondary"
            onClick={() => dialog.current?.close()}
          >
            Cancel
          </button>
          <button
            type="submit"
            className={`button ${isDangerous ? "danger" : ""}`}
            disabled={isBusy}
          >
            {action}
          </button>
        </div>
      </form>
    </dialog>
  );
}
