import type { ReactNode } from "react";
import { CUT_OFF, isWaiting, type ChatMessage } from "@/chat/chatMessage";
import { toolName } from "@/chat/toolCalls";
import { Approval } from "./Approval";
import { NextIcon, PencilIcon, RetryIcon } from "@/components/ui/icons";
import styles from "./MessageState.module.css";

interface MessageStateProps {
  message: ChatMessage;
  isLast: boolean;
  isBusy: boolean;
  onRetry: () => void;
  onGoOn: () => void;
  onWithdraw: () => void;
  onDecide: (approved: boolean) => void;
}

/** Explains an unusual status of a message, and offers what the user can do about it. */
export function MessageState(props: MessageStateProps) {
  return RENDER[props.message.status]?.(props) ?? null;
}

type Render = (props: MessageStateProps) => ReactNode;

// Plain functions, not components: a button keeps the focus when the status changes.
const RENDER: Record<ChatMessage["status"], Render | null> = {
  in_progress: null,
  completed,
  sending: null,
  failed: endedEarly,
  interrupted: endedEarly,
  cancelled: endedEarly,
  unsent: notSent,
  lost: notSent,
  held,
  queued,
  waiting_approval: waitingApproval,
};

function completed({ message, isLast, isBusy, onGoOn }: MessageStateProps) {
  if (!message.isCutOff) return null;
  return (
    <div className={styles.state}>
      <p>{CUT_OFF}</p>
      {isLast && !isBusy && <Action icon={<NextIcon />} name="Go on" onClick={onGoOn} />}
    </div>
  );
}

function endedEarly({ message, isLast, isBusy, onRetry }: MessageStateProps) {
  return (
    <div className={styles.state}>
      {message.status === "cancelled" ? (
        <p>{cancellationText(message)}</p>
      ) : (
        <Alert text={message.error} />
      )}
      {isLast && !isBusy && <Action icon={<RetryIcon />} name="Retry" onClick={onRetry} />}
    </div>
  );
}

function notSent({ message, onRetry, onWithdraw }: MessageStateProps) {
  return (
    <div className={`${styles.state} ${styles.own}`}>
      <Alert text={message.error} />
      <Action icon={<RetryIcon />} name="Retry" onClick={onRetry} />
      <Action icon={<PencilIcon />} name="Edit" onClick={onWithdraw} />
    </div>
  );
}

function held({ isBusy, onRetry, onWithdraw }: MessageStateProps) {
  return (
    <div className={`${styles.state} ${styles.own}`}>
      <p role="alert">
        {isBusy
          ? "An answer is still being written here, perhaps in another tab. Your message is kept."
          : "The answer is finished. Your message has not been sent yet."}
      </p>
      <Action name={isBusy ? "Send when it is finished" : "Send now"} onClick={onRetry} />
      <Action icon={<PencilIcon />} name="Edit" onClick={onWithdraw} />
    </div>
  );
}

function queued({ onWithdraw }: MessageStateProps) {
  return (
    <div className={`${styles.state} ${styles.own}`}>
      <p role="alert">This is sent as soon as the answer is finished.</p>
      <Action icon={<PencilIcon />} name="Edit" onClick={onWithdraw} />
    </div>
  );
}

function waitingApproval({ message, isBusy, onDecide }: MessageStateProps) {
  return (
    <Approval calls={message.toolCalls.filter(isWaiting)} isBusy={isBusy} onDecide={onDecide} />
  );
}

function cancellationText({ toolCalls }: ChatMessage): string {
  // The output of a call that the user rejected says so. A call without a decision has no output.
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
