import { useEffect, useRef } from "react";
import { saveFile } from "@/services/save_file";
import styles from "./account.module.css";

interface BackupCodesProps {
  codes: string[];
  onDone: () => void;
}

/** Shown once. */
export function BackupCodes({ codes, onDone }: BackupCodesProps) {
  const part = useRef<HTMLDivElement>(null);
  // The form or dialog before it is gone.
  useEffect(() => part.current?.focus(), []);
  return (
    <div ref={part} tabIndex={-1} role="group" aria-label="Backup codes" className={styles.setup}>
      <p>
        Keep these backup codes in a safe place. Each of them signs you in once if you lose the app.
        They are not shown again.
      </p>
      <ul className={styles.codes}>
        {codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ul>
      <div className={styles.actions}>
        <button
          type="button"
          className="button secondary small"
          onClick={() =>
            saveFile("parley-backup-codes.txt", [`${codes.join("\n")}\n`], "text/plain")
          }
        >
          Save as a file
        </button>
        <button type="button" className="button small" onClick={onDone}>
          I have kept them
        </button>
      </div>
    </div>
  );
}
