import { useRef, useState } from "react";
import { useChat } from "@/hooks/useChat";
import type { ChatApi } from "@/services/chat_api";
import type { User } from "./ChatInterface";
import { Composer } from "./Composer";
import styles from "./ConversationPanel.module.css";
import { EmptyState } from "./EmptyState";
import { MenuIcon } from "./icons";
import { MessageList, MessageSkeleton } from "./MessageList";
import { UnavailableConversation } from "./UnavailableConversation";

interface ConversationPanelProps {
  api: ChatApi;
  user: User;
  conversationId: string | null;
  title: string | null;
  isBehindDrawer: boolean;
  onChange: (conversationId: string) => void;
  onLeave: () => void;
  onMenu: () => void;
}

export function ConversationPanel(props: ConversationPanelProps) {
  const { state, store } = useChat(props.api, props.conversationId, props.onChange);
  const [draft, setDraft] = useState("");
  const composer = useRef<HTMLTextAreaElement>(null);
  const { view, messages } = state;
  const isSending = messages.some(({ status }) => status === "sending");
  const isAnswering = messages.some(({ status }) => status === "in_progress");

  function edit(id: string, text: string) {
    store.withdraw(id);
    setDraft(text);
    composer.current?.focus();
  }

  return (
    <main id="conversation" tabIndex={-1} className={styles.panel} inert={props.isBehindDrawer}>
      <header className={styles.header}>
        <button
          type="button"
          className={`icon-button ${styles.menu}`}
          aria-label="Open the list of conversations"
          onClick={props.onMenu}
        >
          <MenuIcon />
        </button>
        <h1 className={styles.title}>
          {props.title ?? (props.conversationId ? "Conversation" : "New conversation")}
        </h1>
      </header>
      {view === "loading" && <MessageSkeleton />}
      {view !== "loading" && view !== "ready" && (
        <UnavailableConversation
          view={view}
          problem={state.problem}
          onRetry={store.load}
          onLeave={props.onLeave}
        />
      )}
      {view === "ready" && messages.length === 0 && (
        <EmptyState name={props.user.name} onChoose={store.send} />
      )}
      {view === "ready" && messages.length > 0 && (
        <MessageList state={state} store={store} onEdit={edit} />
      )}
      {view === "ready" && (
        <div className={styles.foot}>
          {state.problem && (
            <p className="alert" role="alert">
              {state.problem}
            </p>
          )}
          {state.isSignedOut && (
            <p className="alert" role="alert">
              Nothing is lost:{" "}
              <a href="/sign-in" target="_blank">
                sign in again in another tab
              </a>
              , then retry here.
            </p>
          )}
          <Composer
            ref={composer}
            draft={draft}
            onDraft={setDraft}
            isBusy={isSending || isAnswering}
            canStop={isAnswering && !state.isStopping}
            onSend={store.send}
            onStop={store.stop}
          />
        </div>
      )}
      <p className="visually-hidden" role="status">
        {isAnswering || isSending ? "The assistant is answering." : state.announcement}
      </p>
    </main>
  );
}
