import type { ReactNode, Ref } from "react";
import type { ChatMessage } from "@/hooks/messages";
import { CopyButton } from "./CopyButton";
import { IconButton } from "./IconButton";
import { PencilIcon, RetryIcon } from "./icons";
import styles from "./MessageActions.module.css";

interface MessageActionsProps {
  message: ChatMessage;
  /** An earlier version is there to be read. */
  isReadOnly: boolean;
  isBusy: boolean;
  editButton: Ref<HTMLButtonElement>;
  onEdit: () => void;
  onRegenerate: () => void;
  children: ReactNode;
}

/** The row below a message. */
export function MessageActions(props: MessageActionsProps) {
  const { message, isReadOnly, isBusy, editButton, onEdit, onRegenerate, children } = props;
  const isUser = message.role === "user";
  const noun = isUser ? "message" : "answer";
  return (
    <div className={styles.actions} role="group" aria-label={`Actions for this ${noun}`}>
      {children}
      {message.content && <CopyButton name={`Copy the ${noun}`} text={() => message.content} />}
      {!isReadOnly && isUser && (
        <IconButton
          ref={editButton}
          name="Edit the message"
          icon={<PencilIcon />}
          isDisabled={isBusy}
          onClick={onEdit}
        />
      )}
      {!isReadOnly && !isUser && (
        <IconButton
          name="Regenerate the answer"
          icon={<RetryIcon />}
          isDisabled={isBusy}
          onClick={onRegenerate}
        />
      )}
    </div>
  );
}
