import { useRef, type Dispatch, type SetStateAction } from "react";
import { isRunning, type ChatMessage } from "@/hooks/messages";
import type { ChatState } from "@/hooks/openChat";
import { toolName } from "@/hooks/toolName";
import { useChat } from "@/hooks/useChat";
import { useFocusRefuge } from "@/hooks/useFocusRefuge";
import type { ChatApi } from "@/services/chat_api";
import type { User } from "./ChatInterface";
import { Composer } from "./Composer";
import styles from "./ConversationPanel.module.css";
import { EmptyState } from "./EmptyState";
import { MessageList, MessageSkeleton } from "./MessageList";
import { PanelHeader } from "./PanelHeader";
import { UnavailableConversation } from "./UnavailableConversation";

const CONNECTION: Record<ChatState["connection"], string | null> = {
  good: null,
  checking: "The connection was lost. Checking how the answer goes on…",
  unreachable: "The connection was lost, and the server cannot be reached. Trying again…",
};

function activityOf(answer: ChatMessage | undefined): string {
  const call = answer?.toolCalls.find(({ status }) => status === "in_progress");
  return call
    ? `The assistant uses a tool: ${toolName(call.name)}.`
    : "The assistant is answering.";
}

interface ConversationPanelProps {
  api: ChatApi;
  user: User;
  conversationId: string | null;
  title: string | null;
  isBehindDrawer: boolean;
  draft: string;
  onDraft: Dispatch<SetStateAction<string>>;
  onChange: (conversationId: string) => void;
  onLeave: () => void;
  onMenu: () => void;
}

export function ConversationPanel(props: ConversationPanelProps) {
  const { state, store } = useChat(props.api, props.conversationId, props.onChange);
  const { draft, onDraft } = props;
  const composer = useRef<HTMLTextAreaElement>(null);
  const room = useRef<HTMLElement>(null);
  const { view, messages } = state;
  const running = messages.find(isRunning);
  const isAnswering = running !== undefined;
  const isBusy = isAnswering || state.beginning !== null;
  const connection = CONNECTION[state.connection];

  function focusComposer() {
    // On a touch screen that would raise the keyboard over the conversation.
    const hasKeyboard = window.matchMedia("(hover: hover)").matches;
    (hasKeyboard ? composer : room).current?.focus();
  }

  useFocusRefuge(room, focusComposer);

  function withdraw({ id, content }: ChatMessage) {
    store.withdraw(id);
    onDraft((written) => (written ? `${content}\n\n${written}` : content));
    composer.current?.focus();
  }

  function stop() {
    void store.stop();
    focusComposer();
  }

  return (
    <main
      ref={room}
      id="conversation"
      tabIndex={-1}
      className={styles.panel}
      inert={props.isBehindDrawer}
    >
      <PanelHeader
        title={props.title}
        conversationId={props.conversationId}
        onMenu={props.onMenu}
      />
      {view === "loading" && <MessageSkeleton />}
      {view !== "loading" && view !== "ready" && (
        <UnavailableConversation
          view={view}
          problem={state.problem}
          onRetry={store.reading.load}
          onLeave={props.onLeave}
        />
      )}
      {view === "ready" && messages.length === 0 && (
        <EmptyState name={props.user.name} onChoose={store.send} />
      )}
      {view === "ready" && messages.length > 0 && (
        <MessageList state={state} store={store} isBusy={isBusy} onWithdraw={withdraw} />
      )}
      {view === "ready" && (
        <div className={styles.foot}>
          {connection && <p className="notice">{connection}</p>}
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
            onDraft={onDraft}
            isBusy={isBusy}
            canStop={isAnswering && !state.isStopping}
            onSend={store.send}
            onStop={stop}
          />
        </div>
      )}
      <p className="visually-hidden" role="status">
        {connection ?? (isBusy ? activityOf(running) : state.announcement)}
      </p>
    </main>
  );
}
