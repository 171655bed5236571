import type { ReactNode, Ref } from "react";
import { isWaiting, type ChatMessage } from "@/chat/chatMessage";
import type { Rating } from "@/services/types";
import { CopyButton } from "@/components/ui/CopyButton";
import { IconButton } from "@/components/ui/IconButton";
import { BadIcon, GoodIcon, PencilIcon, RetryIcon } from "@/components/ui/icons";
import styles from "./MessageActions.module.css";

interface MessageActionsProps {
  message: ChatMessage;
  rating: Rating | null;
  /** True for an earlier version. */
  isReadOnly: boolean;
  isBusy: boolean;
  editButton: Ref<HTMLButtonElement>;
  onEdit: () => void;
  onRegenerate: () => void;
  onRate: (rating: Rating) => void;
  children: ReactNode;
}

/** The row of buttons below a message. */
export function MessageActions(props: MessageActionsProps) {
  const { message, rating, isReadOnly, isBusy, editButton, children } = props;
  const { onEdit, onRegenerate, onRate } = props;
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
      {!isReadOnly && !isUser && !isWaiting(message) && (
        <>
          <IconButton
            name="Good answer"
            icon={<GoodIcon />}
            isPressed={rating === "up"}
            onClick={() => onRate("up")}
          />
          <IconButton
            name="Bad answer"
            icon={<BadIcon />}
            isPressed={rating === "down"}
            onClick={() => onRate("down")}
          />
        </>
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
