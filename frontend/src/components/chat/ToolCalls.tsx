import { memo, useId, useState } from "react";
import { toolName } from "@/chat/toolCalls";
import type { ToolCall } from "@/services/types";
import { CopyButton } from "@/components/ui/CopyButton";
import { ExpandIcon, ToolIcon } from "@/components/ui/icons";
import styles from "./ToolCalls.module.css";
import { durationText, prettyText, shortened, STATES } from "./toolText";

/** The tools that the assistant used for an answer. */
export function ToolCalls({ calls }: { calls: ToolCall[] }) {
  return (
    <ul className={styles.calls} aria-label="Tools used">
      {calls.map((call) => (
        <li key={call.call_id}>
          <Call call={call} />
        </li>
      ))}
    </ul>
  );
}

const Call = memo(function Call({ call }: { call: ToolCall }) {
  const { name, status, duration_ms: duration } = call;
  const [isOpen, setOpen] = useState(false);
  return (
    <details
      className={styles.call}
      data-status={status}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>
        <ToolIcon />
        <span className={styles.name}>{toolName(name)}</span>{" "}
        <span className={styles.state}>{STATES[status]}</span>{" "}
        {duration !== null && <span className={styles.duration}>{durationText(duration)}</span>}
        <ExpandIcon />
      </summary>
      {isOpen && <Details call={call} />}
    </details>
  );
});

function Details({ call }: { call: ToolCall }) {
  const result = call.output == null ? null : prettyText(call.output);
  return (
    <div className={styles.particulars}>
      <Part title="Arguments" text={prettyText(call.arguments)} />
      {result !== null && <Result text={result} />}
    </div>
  );
}

function Result({ text }: { text: string }) {
  const { shown, hidden } = shortened(text);
  return (
    <>
      <Part title="Result" text={shown} whole={text} />
      {hidden > 0 && (
        <p className={styles.note}>
          {hidden.toLocaleString("en")} more characters are not shown; copying includes them.
        </p>
      )}
    </>
  );
}

/** Always text: what a tool returns must never become markup. */
function Part({ title, text, whole = text }: { title: string; text: string; whole?: string }) {
  const id = useId();
  return (
    <div className={styles.part}>
      <p id={id}>{title}</p>
      <CopyButton name={`Copy: ${title.toLowerCase()}`} text={() => whole} />
      <pre tabIndex={0} role="group" aria-labelledby={id} dir="ltr">
        {text}
      </pre>
    </div>
  );
}
