import type { ReactNode } from "react";
import type { ChatMessage } from "@/hooks/messages";
import { PencilIcon, RetryIcon } from "./icons";
import styles from "./MessageState.module.css";

interface MessageStateProps {
  message: ChatMessage;
  isLast: boolean;
  isBusy: boolean;
  onRetry: () => void;
  onWithdraw: () => void;
}

/** What is to be said about a message that is not simply there, and what can be done about it. */
export function MessageState({ message, isLast, isBusy, onRetry, onWithdraw }: MessageStateProps) {
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
          {status === "cancelled" ? <p>You stopped this answer.</p> : <Alert text={error} />}
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
      return <p className={styles.state}>The answer waits for your decision.</p>;
    default:
      return status satisfies never;
  }
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
