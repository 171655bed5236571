import { lazy, memo, Suspense } from "react";
import type { ChatMessage } from "@/hooks/messages";
import type { ToolCall } from "@/services/types";
import { PencilIcon, RetryIcon, ToolIcon } from "./icons";
import styles from "./Message.module.css";

// The parser is a third of the page's script; until it is there, the text is shown as it is.
const Markdown = lazy(() => import("./Markdown"));

interface MessageProps {
  message: ChatMessage;
  /** The user's message that a retry would ask again; none if it cannot be. */
  retryId: string | null;
  onRetry: (id: string) => void;
  onEdit: (id: string, text: string) => void;
}

export const Message = memo(function Message({ message, retryId, onRetry, onEdit }: MessageProps) {
  const isUser = message.role === "user";
  const canRetry =
    retryId !== null && ["unsent", "failed", "interrupted", "cancelled"].includes(message.status);
  return (
    <article className={isUser ? styles.user : styles.assistant}>
      <h2 className="visually-hidden">{isUser ? "You" : "Assistant"}</h2>
      {message.toolCalls.length > 0 && <ToolCalls calls={message.toolCalls} />}
      {isUser ? <p className={styles.bubble}>{message.content}</p> : <Answer message={message} />}
      <State message={message} />
      {canRetry && (
        <div className={styles.actions}>
          <button type="button" className="button secondary small" onClick={() => onRetry(retryId)}>
            <RetryIcon /> Retry
          </button>
          {message.status === "unsent" && (
            <button
              type="button"
              className="button secondary small"
              onClick={() => onEdit(message.id, message.content)}
            >
              <PencilIcon /> Edit
            </button>
          )}
        </div>
      )}
    </article>
  );
});

function Answer({ message }: { message: ChatMessage }) {
  if (message.status === "in_progress" && !message.content) {
    return (
      <div className={styles.waiting} aria-hidden="true">
        <i />
        <i />
        <i />
      </div>
    );
  }
  return (
    <Suspense fallback={<p className={styles.plain}>{message.content}</p>}>
      <Markdown text={message.content} />
    </Suspense>
  );
}

function State({ message: { status, error } }: { message: ChatMessage }) {
  if (status === "cancelled") return <p className={styles.state}>You stopped this answer.</p>;
  if (!error) return null;
  return (
    <p className="alert" role="alert">
      {error}
    </p>
  );
}

function ToolCalls({ calls }: { calls: ToolCall[] }) {
  return (
    <ul className={styles.tools} aria-label="Tools used">
      {calls.map(({ name, status }, index) => (
        <li key={index}>
          <ToolIcon /> {name.replaceAll("_", " ")} <span>{status.replaceAll("_", " ")}</span>
        </li>
      ))}
    </ul>
  );
}
