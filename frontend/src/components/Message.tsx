import { lazy, memo, Suspense, useLayoutEffect, useRef } from "react";
import type { ChatStore } from "@/hooks/chatStore";
import { isLocal, isRunning, isWaiting, type ChatMessage } from "@/hooks/messages";
import type { Edit } from "@/hooks/openChat";
import { useVersions } from "@/hooks/useVersions";
import type { Rating } from "@/services/types";
import styles from "./Message.module.css";
import { MessageActions } from "./MessageActions";
import { MessageEditor } from "./MessageEditor";
import { MessageState } from "./MessageState";
import { ToolCalls } from "./ToolCalls";
import { VersionSwitch } from "./VersionSwitch";

// The parser is a third of the page's script; until it is there, the text is shown as it is.
const Markdown = lazy(() => import("./Markdown"));

/** When an edit is given up, the focus goes back to where it was begun. */
function useFocusBack(isEditing: boolean) {
  const button = useRef<HTMLButtonElement>(null);
  const wasEditing = useRef(isEditing);

  useLayoutEffect(() => {
    const isNowhere = document.activeElement === document.body;
    if (wasEditing.current && !isEditing && isNowhere) button.current?.focus();
    wasEditing.current = isEditing;
  }, [isEditing]);

  return button;
}

interface MessageProps {
  message: ChatMessage;
  /** As the user wants it, stored or not yet. */
  rating: Rating | null;
  store: ChatStore;
  /** Present while this message is being edited. */
  edit: Edit | null;
  isLast: boolean;
  /** An answer is being written, or about to be. */
  isBusy: boolean;
  /** What the server has been asked to replace, and has not answered yet. */
  isBeginning: boolean;
  onWithdraw: (message: ChatMessage) => void;
}

export const Message = memo(function Message(props: MessageProps) {
  const { message, rating, store, edit, isLast, isBusy, isBeginning } = props;
  const versions = useVersions(message, store.reading.listVersions);
  const editButton = useFocusBack(edit !== null);
  const isUser = message.role === "user";

  if (edit) {
    return (
      <article className={styles.user}>
        <h2 className="visually-hidden">You</h2>
        <MessageEditor
          edit={edit}
          isBusy={isBusy}
          isSending={isBeginning}
          onChange={store.changeEdit}
          onSend={store.sendEdit}
          onCancel={store.cancelEdit}
        />
      </article>
    );
  }
  return (
    <article
      className={`${isUser ? styles.user : styles.assistant} ${isLast ? styles.last : ""}`}
      aria-busy={isBeginning && !isUser}
    >
      <h2 className="visually-hidden">{isUser ? "You" : "Assistant"}</h2>
      <Content message={versions.shown} />
      {!versions.isEarlier && (
        <MessageState
          message={message}
          isLast={isLast}
          isBusy={isBusy}
          onRetry={() => void store.retry(message.id)}
          onWithdraw={() => props.onWithdraw(message)}
          onDecide={(approved) => void store.decide(message.id, approved)}
        />
      )}
      {!isLocal(message) && !isRunning(message) && (
        <MessageActions
          message={versions.shown}
          rating={rating}
          isReadOnly={versions.isEarlier}
          isBusy={isBusy}
          editButton={editButton}
          onEdit={() => store.startEdit(message.id)}
          onRegenerate={() => void store.regenerate(message.id)}
          onRate={(wanted) => void store.ratings.toggle(message.id, wanted)}
        >
          {message.versionCount > 1 && (
            <VersionSwitch count={message.versionCount} versions={versions} />
          )}
        </MessageActions>
      )}
    </article>
  );
});

function Content({ message }: { message: ChatMessage }) {
  const { role, content } = message;
  const toolCalls = message.toolCalls.filter((call) => !isWaiting(call));
  return (
    <>
      {toolCalls.length > 0 && <ToolCalls calls={toolCalls} />}
      {role === "user" ? (
        <p className={styles.bubble}>{content}</p>
      ) : isRunning(message) && !content ? (
        <Waiting />
      ) : (
        content && (
          <Suspense fallback={<p className={styles.plain}>{content}</p>}>
            <Markdown text={content} />
          </Suspense>
        )
      )}
    </>
  );
}

function Waiting() {
  return (
    <div className={styles.waiting} aria-hidden="true">
      <i />
      <i />
      <i />
    </div>
  );
}
