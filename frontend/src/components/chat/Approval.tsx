import { useId } from "react";
import { toolName } from "@/chat/toolCalls";
import type { ToolCall } from "@/services/types";
import styles from "./Approval.module.css";
import { ToolIcon } from "@/components/ui/icons";
import { argumentList, prettyText } from "./toolText";

interface ApprovalProps {
  /** One decision applies to all of them. */
  calls: ToolCall[];
  isBusy: boolean;
  onDecide: (approved: boolean) => void;
}

export function Approval({ calls, isBusy, onDecide }: ApprovalProps) {
  const id = useId();
  const names = calls.map(({ name }) => toolName(name)).join(", ");
  return (
    <section className={styles.approval} aria-labelledby={id}>
      <h3 id={id}>The assistant waits for your decision</h3>
      {calls.map((call) => (
        <Request key={call.call_id} call={call} />
      ))}
      <p className={styles.hint}>
        Nothing is done until you decide. Writing something else counts as a rejection.
      </p>
      <div className={styles.buttons}>
        <Decision verb="Approve" names={names} isBusy={isBusy} onClick={() => onDecide(true)} />
        <Decision verb="Reject" names={names} isBusy={isBusy} onClick={() => onDecide(false)} />
      </div>
    </section>
  );
}

function Request({ call }: { call: ToolCall }) {
  const id = useId();
  const list = argumentList(call.arguments);
  return (
    <div className={styles.request}>
      <p id={id} className={styles.name}>
        <ToolIcon /> {toolName(call.name)}
      </p>
      <div className={styles.arguments} tabIndex={0} role="group" aria-labelledby={id}>
        {list === null ? (
          <pre dir="ltr">{prettyText(call.arguments)}</pre>
        ) : list.length === 0 ? (
          <p>Without any arguments.</p>
        ) : (
          <dl>
            {list.map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd dir="auto">{value}</dd>
              </div>
            ))}
          </dl>
        )}
      </div>
    </div>
  );
}

interface DecisionProps {
  verb: "Approve" | "Reject";
  names: string;
  isBusy: boolean;
  onClick: () => void;
}

/** `aria-disabled`, not `disabled`, so that the focus stays here if the decision cannot be sent. */
function Decision({ verb, names, isBusy, onClick }: DecisionProps) {
  return (
    <button
      type="button"
      className={`button ${verb === "Reject" ? "secondary" : ""}`}
      aria-label={`${verb}: ${names}`}
      aria-disabled={isBusy}
      onClick={isBusy ? undefined : onClick}
    >
      {verb}
    </button>
  );
}
