import { useState } from "react";
import type { AccountApi } from "@/services/account_api";
import { importFile, NOTHING_IMPORTED, type ImportProgress } from "@/services/import_file";
import type { NotTaken } from "@/services/types";
import { AccountForm } from "./AccountForm";
import styles from "./account.module.css";

const counted = (count: number, one: string) =>
  `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`;

export function ImportForm({ api }: { api: AccountApi }) {
  const [file, setFile] = useState<File | null>(null);
  const [progress, setProgress] = useState<ImportProgress>(NOTHING_IMPORTED);
  const hasBegun = progress.nextPart > 0;

  async function send() {
    // Again from the start once everything has been sent.
    const begin = progress.share === 1 ? NOTHING_IMPORTED : progress;
    for await (const now of importFile(api, file!, begin)) setProgress(now);
  }

  return (
    <AccountForm
      label="Import"
      action={hasBegun && progress.share < 1 ? "Go on" : "Import"}
      done={`${counted(progress.messages, "message")} in ${counted(progress.conversations, "conversation")} imported.`}
      busy={`${Math.floor(progress.share * 100)} %`}
      isRefused={!file}
      submit={send}
    >
      <h3>Import</h3>
      <label className={styles.wide}>
        <span>
          A file that Parley has exported, or <code>conversations.json</code> out of an export of
          ChatGPT&apos;s
        </span>
        <input
          type="file"
          accept=".json,.jsonl,application/json"
          onChange={(event) => {
            setFile(event.target.files?.[0] ?? null);
            setProgress(NOTHING_IMPORTED);
          }}
        />
      </label>
      {hasBegun && (
        <>
          <progress className={styles.progress} aria-label="Import" value={progress.share} />
          <Outcome progress={progress} />
        </>
      )}
    </AccountForm>
  );
}

function Outcome({ progress: { alreadyThere, notTaken } }: { progress: ImportProgress }) {
  return (
    <>
      {alreadyThere > 0 && <p>{counted(alreadyThere, "message")} had been imported before.</p>}
      {notTaken.length > 0 && (
        <details className={styles.details} open>
          <summary>Not imported</summary>
          <ul>
            {notTaken.map((entry, index) => (
              <li key={index}>{inWords(entry)}</li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

function inWords({ conversation, what, reason, count }: NotTaken): string {
  return `${counted(count, what)}${conversation ? ` of ${conversation}` : ""}: ${reason}`;
}
