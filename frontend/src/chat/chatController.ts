import type { ChatApi } from "@/services/chat_api";
import { connectionLost, toApiError, type ApiError } from "@/services/errors";
import { newIdempotencyKey } from "@/services/idempotency_key";
import type { Act, TurnRequest } from "@/services/types";
import { fromApi, isWaiting, userMessage } from "./chatMessage";
import { answerInProgress, isBusy, type ChatState } from "./chatState";
import { ChatStore, problemOf } from "./chatStore";
import { LiveTurn } from "./liveTurn";
import { withChange, withoutMessage } from "./messageList";
import { MessageLoader } from "./messageLoader";
import { MessagePoller } from "./messagePoller";
import { pause } from "./pause";
import { Ratings } from "./ratings";
import { TurnAttempts, type TurnAttempt } from "./turnAttempts";

const BUSY_RETRY_MS = 2_000;
const BUSY = "An answer is still being written here, perhaps in another tab.";

/** What a user can do in one conversation. Changes the store, which the page renders. */
export class ChatController {
  readonly loader: MessageLoader;
  readonly poller: MessagePoller;
  readonly ratings: Ratings;
  readonly #store: ChatStore;
  readonly #attempts = new TurnAttempts();
  #liveTurn: LiveTurn | null = null;

  constructor(
    api: ChatApi,
    conversationId: string | null,
    /** Called when the conversation has been loaded, and when a turn in it has started or ended. */
    onChange: (conversationId: string) => void,
  ) {
    this.#store = new ChatStore(api, conversationId, onChange);
    this.loader = new MessageLoader(this.#store);
    this.poller = new MessagePoller(this.#store, this.loader, () => this.#sendQueued());
    this.ratings = new Ratings(this.#store);
  }

  subscribe = (listener: () => void) => this.#store.subscribe(listener);

  getState = () => this.#store.state;

  showProblem = (problem: string) => this.#store.set({ problem });

  /** For acts that nobody awaits. */
  watch = (act: Promise<unknown>) => this.#store.watch(act);

  open() {
    if (this.#store.open() && this.#store.state.view === "loading") {
      this.watch(this.poller.load());
    }
  }

  /** Stops reading, for good unless it is opened again at once. A turn in progress goes on at the server. */
  close() {
    this.#store.close();
  }

  refresh = async () => {
    const { view, conversationId, pendingId } = this.#store.state;
    if (view === "unavailable") return this.poller.load();
    // A live turn's stream is ahead of the stored messages.
    if (view !== "ready" || !conversationId || pendingId || this.#liveTurn) return;
    await this.poller.refresh();
  };

  send = (text: string) => {
    const message = userMessage(newIdempotencyKey(), { content: text });
    this.#store.set({ messages: [...this.#store.state.messages, message] });
    return this.#sendLocal(message.id);
  };

  /** Regenerates a failed answer, or sends an unsent message: at once, or after the current answer. */
  retry = async (messageId: string) => {
    if (this.#store.find(messageId)?.role === "assistant") return this.regenerate(messageId);
    if (isBusy(this.#store.state))
      this.#store.setMessage(messageId, { status: "queued", error: null });
    else await this.#sendLocal(messageId);
  };

  regenerate = async (messageId: string) => {
    const { conversationId } = this.#store.state;
    if (!conversationId) return;
    await this.#startTurn(messageId, { kind: "regenerate", conversationId, messageId });
  };

  /** Approves or rejects the tool calls that an answer waits for. */
  decide = async (messageId: string, approved: boolean) => {
    const { conversationId } = this.#store.state;
    if (!conversationId || isBusy(this.#store.state)) return;
    // Names the calls that the user saw: the turn may wait for others by now.
    const waiting = this.#store.find(messageId)?.toolCalls.filter(isWaiting) ?? [];
    const calls = waiting.map(({ call_id }) => call_id);
    await this.#startTurn(messageId, {
      kind: "resume",
      conversationId,
      messageId,
      approved,
      calls,
    });
  };

  /** Removes an unsent message. */
  withdraw = (id: string) => {
    this.#attempts.end(id);
    this.#store.set({ messages: withoutMessage(this.#store.state.messages, id) });
  };

  startEdit = (messageId: string) => {
    const message = this.#store.find(messageId);
    if (message) this.#store.set({ edit: { messageId, text: message.content, error: null } });
  };

  changeEdit = (text: string) => {
    const { edit } = this.#store.state;
    if (edit) this.#store.set({ edit: { ...edit, text } });
  };

  cancelEdit = () => this.#store.set({ edit: null });

  sendEdit = async () => {
    const { edit, conversationId } = this.#store.state;
    if (!edit || !conversationId) return;
    const { messageId, text } = edit;
    this.#store.set({ edit: { ...edit, error: null } });
    await this.#startTurn(messageId, { kind: "edit", conversationId, messageId, message: text });
  };

  stop = async () => {
    const { state } = this.#store;
    const { conversationId } = state;
    const answer = answerInProgress(state);
    if (!answer || !conversationId) return;
    this.#store.set({ isStopping: true, problem: null });
    await this.#store.request(
      async () => {
        const stopped = await this.#store.api.cancelTurn(conversationId, answer.id);
        if (this.#liveTurn) return; // Its stream reports the end.
        this.#store.setMessage(answer.id, fromApi(stopped));
        await this.poller.refresh();
      },
      (error) => ({ ...problemOf(error), isStopping: false }),
    );
  };

  #sendLocal(messageId: string) {
    const { conversationId } = this.#store.state;
    const message = this.#store.find(messageId)?.content ?? "";
    this.#store.setMessage(messageId, { status: "sending", error: null });
    return this.#startTurn(messageId, { kind: "send", conversationId, message });
  }

  #sendQueued() {
    const queued = this.#store.state.messages.find(({ status }) => status === "queued");
    if (queued && !isBusy(this.#store.state)) this.watch(this.#sendLocal(queued.id));
  }

  async #startTurn(targetId: string, act: Act): Promise<void> {
    const { signal } = this.#store;
    const attempt = this.#attempts.begin(targetId, act);
    const turn = new LiveTurn(this.#store, targetId, act);
    this.#liveTurn = turn;
    this.#store.set({ pendingId: targetId, announcement: "", problem: null, isSignedOut: false });
    const error = await this.#stream(turn, attempt.request);
    this.#liveTurn = null;
    if (signal.aborted) return;
    if (error) return this.#handleRefusal(targetId, attempt, error);
    this.#attempts.end(targetId);
    turn.flush();
    if (turn.isRefused) await this.poller.refresh();
    if (turn.isEnded) this.#sendQueued();
    else await this.poller.poll("checking");
  }

  /** Returns the error if the turn has not started. */
  async #stream(turn: LiveTurn, request: TurnRequest): Promise<ApiError | null> {
    const { signal } = this.#store;
    try {
      for await (const event of this.#store.api.streamTurn(request, signal)) {
        if (signal.aborted) return null;
        turn.apply(event);
      }
    } catch (error) {
      if (signal.aborted) return null;
      return toApiError(error);
    }
    return turn.hasStarted ? null : connectionLost();
  }

  async #handleRefusal(targetId: string, attempt: TurnAttempt, error: ApiError): Promise<void> {
    const { signal, state } = this.#store;
    if (error.isBusy && !state.conversationId) {
      // Only this same message, sent before and lost, can be in progress in a new conversation.
      await pause(BUSY_RETRY_MS, signal);
      return signal.aborted ? undefined : this.#startTurn(targetId, attempt.request);
    }
    attempt.isUncertain ||= error.isUncertain;
    this.#store.set({
      pendingId: null,
      isSignedOut: error.isSignedOut,
      ...this.#refused(targetId, attempt, error),
    });
    if (attempt.request.kind === "resume") await this.#checkDecision(targetId);
    else if (error.isStale || error.isUncertain) await this.refresh();
  }

  /** A decision may have arrived though its reply was lost, or the answer may no longer wait for one. */
  async #checkDecision(messageId: string): Promise<void> {
    await this.refresh();
    const message = this.#store.find(messageId);
    if (message && !isWaiting(message)) this.#store.set({ problem: null });
  }

  #refused(targetId: string, attempt: TurnAttempt, error: ApiError): Partial<ChatState> {
    const { messages, edit } = this.#store.state;
    const problem = error.isBusy ? BUSY : error.message;
    switch (attempt.request.kind) {
      case "send":
        return { messages: withChange(messages, targetId, unsentMessage(attempt, error, problem)) };
      case "edit":
        return { edit: edit && { ...edit, error: problem } };
      case "regenerate":
      case "resume":
        return { problem };
      default:
        return attempt.request satisfies never;
    }
  }
}

function unsentMessage({ isUncertain }: TurnAttempt, error: ApiError, problem: string) {
  if (isUncertain) return { status: "lost", error: problem } as const;
  if (error.isBusy) return { status: "held", error: null } as const;
  return { status: "unsent", error: problem } as const;
}
