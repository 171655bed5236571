import { useCallback, useState } from "react";
import { useLoaded } from "@/hooks/useLoaded";
import type { AccountApi } from "@/services/account_api";
import { saveFile } from "@/services/save_file";
import { AccountForm } from "./AccountForm";
import styles from "./account.module.css";
import { ImportForm } from "./ImportForm";
import { Section } from "./Section";

export function DataSection({ api }: { api: AccountApi }) {
  return (
    <Section id="data" title="Your data">
      <Retention api={api} />
      <Export api={api} />
      <ImportForm api={api} />
    </Section>
  );
}

/** Nothing where conversations are kept until they are deleted. */
function Retention({ api }: { api: AccountApi }) {
  const load = useCallback(() => api.getMe(), [api]);
  const days = useLoaded(load).value?.retention_days;
  if (!days) return null;
  return (
    <p className="notice">
      A conversation in which nobody has written for {days} {days === 1 ? "day" : "days"} is
      deleted.
    </p>
  );
}

function Export({ api }: { api: AccountApi }) {
  const [parts, setParts] = useState(0);

  async function save() {
    const texts: string[] = [];
    setParts(0);
    for await (const text of api.exportEverything()) {
      texts.push(text);
      setParts(texts.length);
    }
    saveFile("parley-export.jsonl", texts, "application/jsonl");
  }

  return (
    <AccountForm
      label="Export"
      action="Export everything"
      done={`Saved, ${parts === 1 ? "in one part" : `from ${parts} parts`}.`}
      busy={parts > 0 && `${parts} so far…`}
      submit={save}
    >
      <h3>Export</h3>
      <p className={styles.hint}>
        One file with all your conversations, all versions of their messages, what tools did, your
        ratings, settings and usage. Parley can import it.
      </p>
    </AccountForm>
  );
}
