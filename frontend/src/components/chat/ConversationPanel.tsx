import { useRef, type Dispatch, type SetStateAction } from "react";
import { isInProgress, type ChatMessage } from "@/chat/chatMessage";
import { answerInProgress, isBusy, type ChatState } from "@/chat/chatState";
import { toolName } from "@/chat/toolCalls";
import { useChat } from "@/hooks/useChat";
import { useFocusFallback } from "@/hooks/useFocusFallback";
import type { User } from "@/lib/user";
import type { ChatApi } from "@/services/chat_api";
import type { Model } from "@/services/types";
import { Composer } from "./Composer";
import styles from "./ConversationPanel.module.css";
import { EmptyState } from "./EmptyState";
import { hasKeyboard } from "@/components/ui/keyboard";
import { MessageList } from "./MessageList";
import { MessageSkeleton } from "./MessageSkeleton";
import { PanelHeader } from "./PanelHeader";
import { ProblemContext } from "@/components/ui/ProblemContext";
import { UnavailableConversation } from "./UnavailableConversation";

const CONNECTION: Record<ChatState["connection"], string | null> = {
  good: null,
  checking: "The connection was lost. Checking whether the answer continues…",
  unreachable: "The connection was lost, and the server cannot be reached. Trying again…",
};

interface ConversationPanelProps {
  api: ChatApi;
  user: User;
  conversationId: string | null;
  title: string | null;
  models: Model[];
  /** What the user should know before they write. */
  notice: string | null;
  isBehindDrawer: boolean;
  draft: string;
  onDraft: Dispatch<SetStateAction<string>>;
  onChange: (conversationId: string) => void;
  onLeave: () => void;
  onMenu: () => void;
}

export function ConversationPanel(props: ConversationPanelProps) {
  const { state, controller } = useChat(props.api, props.conversationId, props.onChange);
  const { draft, onDraft } = props;
  const composer = useRef<HTMLTextAreaElement>(null);
  const panel = useRef<HTMLElement>(null);
  const { view, messages } = state;
  const answer = answerInProgress(state);
  const busy = isBusy(state);

  function focusComposer() {
    (hasKeyboard() ? composer : panel).current?.focus();
  }

  useFocusFallback(panel, focusComposer);

  function withdraw({ id, content }: ChatMessage) {
    controller.withdraw(id);
    onDraft((written) => (written ? `${content}\n\n${written}` : content));
    composer.current?.focus();
  }

  const send = (text: string) => controller.watch(controller.send(text));

  function stop() {
    controller.watch(controller.stop());
    focusComposer();
  }

  return (
    <main
      ref={panel}
      id="conversation"
      tabIndex={-1}
      className={styles.panel}
      inert={props.isBehindDrawer}
    >
      <PanelHeader
        title={props.title}
        conversationId={props.conversationId}
        models={props.models}
        onMenu={props.onMenu}
      />
      {view === "loading" && <MessageSkeleton />}
      {view !== "loading" && view !== "ready" && (
        <UnavailableConversation
          view={view}
          problem={state.problem}
          onRetry={() => controller.watch(controller.poller.load())}
          onLeave={props.onLeave}
        />
      )}
      {view === "ready" && (
        <>
          {messages.length === 0 ? (
            <EmptyState name={props.user.name} onChoose={send} />
          ) : (
            <ProblemContext value={controller.showProblem}>
              <MessageList
                state={state}
                controller={controller}
                isBusy={busy}
                onWithdraw={withdraw}
              />
            </ProblemContext>
          )}
          <div className={styles.foot}>
            <Notices state={state} />
            {props.notice && <p className="notice">{props.notice}</p>}
            <Composer
              ref={composer}
              draft={draft}
              onDraft={onDraft}
              isBusy={busy}
              canStop={answer !== undefined && !state.isStopping}
              onSend={send}
              onStop={stop}
            />
          </div>
        </>
      )}
      <p className="visually-hidden" role="status">
        {CONNECTION[state.connection] ?? (busy ? activityOf(answer) : state.announcement)}
      </p>
    </main>
  );
}

function activityOf(answer: ChatMessage | undefined): string {
  const call = answer?.toolCalls.find(isInProgress);
  return call
    ? `The assistant uses a tool: ${toolName(call.name)}.`
    : "The assistant is answering.";
}

function Notices({ state }: { state: ChatState }) {
  const connection = CONNECTION[state.connection];
  return (
    <>
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
    </>
  );
}
