import { lazy, memo, Suspense } from "react";
import type { ChatController } from "@/chat/chatController";
import { isInProgress, isLocal, isWaiting, type ChatMessage } from "@/chat/chatMessage";
import type { EditDraft } from "@/chat/chatState";
import { useEditFocus } from "@/hooks/useEditFocus";
import { useVersions } from "@/hooks/useVersions";
import type { Rating } from "@/services/types";
import styles from "./Message.module.css";
import { MessageActions } from "./MessageActions";
import { MessageEditor } from "./MessageEditor";
import { MessageState } from "./MessageState";
import { ToolCalls } from "./ToolCalls";
import { VersionSwitch } from "./VersionSwitch";

// The parser is a third of the page's script. Until it is loaded, the text is shown as it is.
const Markdown = lazy(() => import("@/components/markdown/Markdown"));

interface MessageProps {
  message: ChatMessage;
  /** The rating to show, stored or not yet. */
  rating: Rating | null;
  controller: ChatController;
  /** Present while this message is being edited. */
  edit: EditDraft | null;
  isLast: boolean;
  /** A turn is starting or in progress. */
  isBusy: boolean;
  /** The server has not yet answered a request about this message. */
  isPending: boolean;
  onWithdraw: (message: ChatMessage) => void;
}

export const Message = memo(function Message(props: MessageProps) {
  const { message, controller, edit, isLast, isBusy, isPending } = props;
  const { watch } = controller;
  const versions = useVersions(message, controller);
  const editButton = useEditFocus(edit !== null);
  const isUser = message.role === "user";

  if (edit) {
    return (
      <article className={styles.user}>
        <h2 className="visually-hidden">You</h2>
        <MessageEditor
          edit={edit}
          isBusy={isBusy}
          isSending={isPending}
          onChange={controller.changeEdit}
          onSend={() => watch(controller.sendEdit())}
          onCancel={controller.cancelEdit}
        />
      </article>
    );
  }
  return (
    <article
      className={`${isUser ? styles.user : styles.assistant} ${isLast ? styles.last : ""}`}
      aria-busy={isPending && !isUser}
    >
      <h2 className="visually-hidden">{isUser ? "You" : "Assistant"}</h2>
      <Content message={versions.shown} />
      {!versions.isEarlier && (
        <MessageState
          message={message}
          isLast={isLast}
          isBusy={isBusy}
          onRetry={() => watch(controller.retry(message.id))}
          onGoOn={() => watch(controller.send("Go on."))}
          onWithdraw={() => props.onWithdraw(message)}
          onDecide={(approved) => watch(controller.decide(message.id, approved))}
        />
      )}
      {!isLocal(message) && !isInProgress(message) && (
        <MessageActions
          message={versions.shown}
          rating={props.rating}
          isReadOnly={versions.isEarlier}
          isBusy={isBusy}
          editButton={editButton}
          onEdit={() => controller.startEdit(message.id)}
          onRegenerate={() => watch(controller.regenerate(message.id))}
          onRate={(wanted) => watch(controller.ratings.toggle(message.id, wanted))}
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
        <p className={styles.bubble} dir="auto">
          {content}
        </p>
      ) : isInProgress(message) && !content ? (
        <Waiting />
      ) : (
        content && (
          <Suspense
            fallback={
              <p className={styles.plain} dir="auto">
                {content}
              </p>
            }
          >
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
