import type { ChatView } from "@/chat/chatState";
import styles from "./UnavailableConversation.module.css";

interface UnavailableConversationProps {
  view: Exclude<ChatView, "loading" | "ready">;
  problem: string | null;
  onRetry: () => void;
  onLeave: () => void;
}

export function UnavailableConversation(props: UnavailableConversationProps) {
  return (
    <div className={styles.notice} role="alert">
      <Notice {...props} />
    </div>
  );
}

function Notice({ view, problem, onRetry, onLeave }: UnavailableConversationProps) {
  const newConversation = (
    <button type="button" className="button" onClick={onLeave}>
      Start a new conversation
    </button>
  );
  switch (view) {
    case "forbidden":
      return (
        <>
          <h2>You do not have access to this conversation</h2>
          <p>It belongs to another user. Only the user who started it can read it.</p>
          {newConversation}
        </>
      );
    case "missing":
      return (
        <>
          <h2>This conversation does not exist</h2>
          <p>It may have been deleted.</p>
          {newConversation}
        </>
      );
    case "signed-out":
      return (
        <>
          <h2>Your session has ended</h2>
          <p>Sign in to continue where you left off.</p>
          <a className="button" href="/sign-in">
            Sign in
          </a>
        </>
      );
    case "unavailable":
      return (
        <>
          <h2>The conversation could not be loaded</h2>
          <p>{problem}</p>
          <button type="button" className="button" onClick={onRetry}>
            Try again
          </button>
        </>
      );
    default:
      return view satisfies never;
  }
}
