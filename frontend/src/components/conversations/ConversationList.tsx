import type { MouseEvent } from "react";
import { conversationPath } from "@/chat/conversationPath";
import type { Conversations } from "@/hooks/useConversations";
import type { Conversation } from "@/services/types";
import styles from "./ConversationList.module.css";
import { titleOf } from "./conversationTitle";
import { PencilIcon, TrashIcon } from "@/components/ui/icons";

interface ConversationListProps {
  conversations: Conversations;
  activeId: string | null;
  onOpen: (id: string) => void;
  onRename: (conversation: Conversation) => void;
  onDelete: (conversation: Conversation) => void;
}

export function ConversationList(props: ConversationListProps) {
  const { conversations: list, activeId } = props;
  return (
    <div className={styles.scroll}>
      {list.status === "loading" && <Skeleton />}
      {list.status === "ready" && list.conversations.length === 0 && (
        <p className={styles.note}>Your conversations will be listed here.</p>
      )}
      <ul className={styles.list}>
        {list.conversations.map((conversation) => (
          <Row
            key={conversation.id}
            {...props}
            conversation={conversation}
            isActive={conversation.id === activeId}
          />
        ))}
      </ul>
      {list.status === "failed" && (
        <div className={styles.note} role="alert">
          <p>The list could not be loaded.</p>
          <button type="button" className="button secondary small" onClick={list.loadMore}>
            Try again
          </button>
        </div>
      )}
      {list.status === "ready" && list.hasMore && (
        <button
          type="button"
          className={styles.more}
          disabled={list.isLoadingMore}
          onClick={list.loadMore}
        >
          {list.isLoadingMore ? "Loading…" : "Show older"}
        </button>
      )}
    </div>
  );
}

interface RowProps extends Pick<ConversationListProps, "onOpen" | "onRename" | "onDelete"> {
  conversation: Conversation;
  isActive: boolean;
}

function Row({ conversation, isActive, onOpen, onRename, onDelete }: RowProps) {
  const title = titleOf(conversation);

  function follow(event: MouseEvent) {
    // With a modifier key, the browser opens the link in another tab or window.
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    onOpen(conversation.id);
  }

  return (
    <li className={styles.row}>
      <a
        href={conversationPath(conversation.id)}
        aria-current={isActive ? "page" : undefined}
        title={title}
        dir="auto"
        onClick={follow}
      >
        {title}
      </a>
      <div className={styles.actions}>
        <button
          type="button"
          className="icon-button"
          aria-label={`Rename ${title}`}
          onClick={() => onRename(conversation)}
        >
          <PencilIcon />
        </button>
        <button
          type="button"
          className="icon-button"
          aria-label={`Delete ${title}`}
          onClick={() => onDelete(conversation)}
        >
          <TrashIcon />
        </button>
      </div>
    </li>
  );
}

function Skeleton() {
  return (
    <div className={styles.skeleton} aria-hidden="true">
      {[80, 60, 72, 48].map((width) => (
        <span key={width} style={{ width: `${width}%` }} />
      ))}
    </div>
  );
}
