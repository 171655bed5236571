import { useLayoutEffect, useRef, useState } from "react";
import type { ChatStore } from "@/hooks/chatStore";
import type { ChatMessage } from "@/hooks/messages";
import type { ChatState } from "@/hooks/openChat";
import { ratingOf } from "@/hooks/ratings";
import { Message } from "./Message";
import styles from "./MessageList.module.css";

const NEAR_END_PX = 96;

/** Keeps the end in sight while it is in sight, and the place when earlier messages come in above. */
function useScroll(messages: ChatMessage[]) {
  const region = useRef<HTMLDivElement>(null);
  const seen = useRef({ isAtEnd: true, firstId: "", count: 0, height: 0 });

  useLayoutEffect(() => {
    const { current: element } = region;
    const before = seen.current;
    if (!element) return;
    const firstId = messages[0]?.id ?? "";
    const last = messages.at(-1);
    const hasSent = messages.length > before.count && last?.status === "sending";
    if (before.count > 0 && firstId !== before.firstId && messages.length > before.count) {
      element.scrollTop += element.scrollHeight - before.height;
    } else if (before.isAtEnd || hasSent) {
      element.scrollTop = element.scrollHeight;
    }
    seen.current = { ...before, firstId, count: messages.length, height: element.scrollHeight };
  }, [messages]);

  function onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = region.current!;
    seen.current.isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  }

  return { region, onScroll };
}

interface MessageListProps {
  state: ChatState;
  store: ChatStore;
  isBusy: boolean;
  onWithdraw: (message: ChatMessage) => void;
}

export function MessageList({ state, store, isBusy, onWithdraw }: MessageListProps) {
  const { messages, edit, beginning } = state;
  const { region, onScroll } = useScroll(messages);
  const [isLoadingEarlier, setLoadingEarlier] = useState(false);

  async function loadEarlier() {
    setLoadingEarlier(true);
    await store.reading.loadEarlier();
    setLoadingEarlier(false);
  }

  return (
    // `status` announces a reply once, as a whole; a live log would read it word by word.
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
            onClick={loadEarlier}
          >
            {isLoadingEarlier ? "Loading…" : "Show earlier messages"}
          </button>
        )}
        {messages.map((message, index) => (
          <Message
            key={message.id}
            message={message}
            rating={ratingOf(message, state.ratings)}
            store={store}
            edit={edit?.messageId === message.id ? edit : null}
            isLast={index === messages.length - 1}
            isBusy={isBusy}
            isBeginning={beginning === message.id}
            onWithdraw={onWithdraw}
          />
        ))}
      </div>
    </div>
  );
}

export function MessageSkeleton() {
  return (
    <div className={styles.scroll} aria-busy="true">
      <div className={`${styles.column} ${styles.skeleton}`}>
        <p className="visually-hidden">Loading the conversation</p>
        <span className={styles.question} />
        <span />
        <span />
        <span className={styles.short} />
      </div>
    </div>
  );
}
