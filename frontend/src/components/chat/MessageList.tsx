import { useState } from "react";
import type { ChatController } from "@/chat/chatController";
import type { ChatMessage } from "@/chat/chatMessage";
import type { ChatState } from "@/chat/chatState";
import { ratingOf } from "@/chat/ratings";
import { useMessageScroll } from "@/hooks/useMessageScroll";
import { Message } from "./Message";
import styles from "./MessageList.module.css";

interface MessageListProps {
  state: ChatState;
  controller: ChatController;
  isBusy: boolean;
  onWithdraw: (message: ChatMessage) => void;
}

export function MessageList({ state, controller, isBusy, onWithdraw }: MessageListProps) {
  const { messages, edit, pendingId } = state;
  const { region, onScroll } = useMessageScroll(messages);
  const [isLoadingEarlier, setLoadingEarlier] = useState(false);

  async function loadEarlier() {
    setLoadingEarlier(true);
    await controller.loader.loadEarlier();
    setLoadingEarlier(false);
  }

  return (
    // Not a live region, which would read an answer word by word: the `status` element announces it as a whole.
    <div
      ref={region}
      className={styles.scroll}
      role="log"
      aria-label="Messages"
      aria-live="off"
      tabIndex={0}
      onScroll={onScroll}
    >
      <div className={styles.column}>
        {state.hasEarlier && (
          <button
            type="button"
            className={`button secondary small ${styles.earlier}`}
            disabled={isLoadingEarlier}
            onClick={() => controller.watch(loadEarlier())}
          >
            {isLoadingEarlier ? "Loading…" : "Show earlier messages"}
          </button>
        )}
        {messages.map((message, index) => (
          <Message
            key={message.id}
            message={message}
            rating={ratingOf(message, state.ratings)}
            controller={controller}
            edit={edit?.messageId === message.id ? edit : null}
            isLast={index === messages.length - 1}
            isBusy={isBusy}
            isPending={pendingId === message.id}
            onWithdraw={onWithdraw}
          />
        ))}
      </div>
    </div>
  );
}
