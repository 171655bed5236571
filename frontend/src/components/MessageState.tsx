import type { ReactNode } from "react";
import { isWaiting, type ChatMessage } from "@/hooks/messages";
import { toolName } from "@/hooks/toolName";
import { Approval } from "./Approval";
import { PencilIcon, RetryIcon } from "./icons";
import styles from "./MessageState.module.css";

interface MessageStateProps {
  message: ChatMessage;
  isLast: boolean;
  isBusy: boolean;
  onRetry: () => void;
  onWithdraw: () => void;
  onDecide: (approved: boolean) => void;
}

/** What is to be said about a message that is not simply there, and what can be done about it. */
export function MessageState(props: MessageStateProps) {
  const { message, isLast, isBusy, onRetry, onWithdraw, onDecide } = props;
  const { status, error } = message;
  const withdraw = <Action icon={<PencilIcon />} name="Edit" onClick={onWithdraw} />;
  switch (status) {
    case "in_progress":
    case "completed":
    case "sending":
      return null;
    case "failed":
    case "interrupted":
    case "cancelled":
      return (
        <div className={styles.state}>
          {status === "cancelled" ? <p>{howItWasCancelled(message)}</p> : <Alert text={error} />}
          {isLast && !isBusy && <Action icon={<RetryIcon />} name="Retry" onClick={onRetry} />}
        </div>
      );
    case "unsent":
    case "lost":
      return (
        <div className={`${styles.state} ${styles.own}`}>
          <Alert text={error} />
          <Action icon={<RetryIcon />} name="Retry" onClick={onRetry} />
          {withdraw}
        </div>
      );
    case "held":
      return (
        <div className={`${styles.state} ${styles.own}`}>
          <p role="alert">
            {isBusy
              ? "An answer is still being written here, perhaps in another tab. Your message is kept."
              : "The answer is finished. Your message has not been sent yet."}
          </p>
          <Action name={isBusy ? "Send when it is finished" : "Send now"} onClick={onRetry} />
          {withdraw}
        </div>
      );
    case "queued":
      return (
        <div className={`${styles.state} ${styles.own}`}>
          <p role="alert">This is sent as soon as the answer is finished.</p>
          {withdraw}
        </div>
      );
    case "waiting_approval":
      return (
        <Approval calls={message.toolCalls.filter(isWaiting)} isBusy={isBusy} onDecide={onDecide} />
      );
    default:
      return status satisfies never;
  }
}

function howItWasCancelled({ toolCalls }: ChatMessage): string {
  // A call that somebody rejected has that as its output; one that nobody decided about has none.
  const undecided = toolCalls.filter((call) => call.status === "rejected" && call.output == null);
  if (undecided.length === 0) return "You stopped this answer.";
  const names = undecided.map(({ name }) => toolName(name)).join(", ");
  return `You went on without deciding, so this was not done: ${names}.`;
}

function Alert({ text }: { text: string | null }) {
  return (
    <p className="alert" role="alert">
      {text}
    </p>
  );
}

interface ActionProps {
  icon?: ReactNode;
  name: string;
  onClick: () => void;
}

function Action({ icon, name, onClick }: ActionProps) {
  return (
    <button type="button" className="button secondary small" onClick={onClick}>
      {icon} {name}
    </button>
  );
}
