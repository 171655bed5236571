import type { ChatApi } from "@/services/chat_api";
import { ApiError, connectionLost } from "@/services/errors";
import { newIdempotencyKey } from "@/services/idempotency_key";
import type { TurnEvent } from "@/services/types";
import {
  appended,
  emptyAnswer,
  fromApi,
  merged,
  patched,
  userMessage,
  withoutMessage,
  withToolCall,
  type ChatMessage,
} from "./messages";
import { pause } from "./pause";

export type ChatView = "loading" | "ready" | "forbidden" | "missing" | "unavailable" | "signed-out";

export interface ChatState {
  view: ChatView;
  messages: ChatMessage[];
  hasEarlier: boolean;
  isStopping: boolean;
  isSignedOut: boolean;
  /** Why the last attempt to load or to stop failed. */
  problem: string | null;
  /** The reply that has just been finished, for screen readers. */
  announcement: string;
}

/** One send of one text; a retry repeats it unchanged, so that the server can recognise it. */
interface Attempt {
  idempotencyKey: string;
  message: string;
  conversationId: string | null;
}

/** An attempt under way. */
interface Turn {
  attempt: Attempt;
  questionId: string;
  answerId: string | null;
  isEnded: boolean;
}

const POLL_MS = { first: 1_000, longest: 2_000, longestOffline: 15_000 };

/** The state of one conversation on the screen, from the first message to leaving it. */
export class ChatStore {
  #conversationId: string | null;
  readonly #api: ChatApi;
  readonly #onChange: (conversationId: string) => void;
  readonly #attempts = new Map<string, Attempt>();
  readonly #listeners = new Set<() => void>();
  #state: ChatState;
  #earlierCursor: string | null = null;
  #closing = new AbortController();
  #unseen = { messageId: "", text: "", frame: 0 };

  constructor(
    api: ChatApi,
    conversationId: string | null,
    /** Called when the conversation is there, and when a turn in it has begun or ended. */
    onChange: (conversationId: string) => void,
  ) {
    this.#api = api;
    this.#conversationId = conversationId;
    this.#onChange = onChange;
    this.#state = {
      view: conversationId ? "loading" : "ready",
      messages: [],
      hasEarlier: false,
      isStopping: false,
      isSignedOut: false,
      problem: null,
      announcement: "",
    };
  }

  subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  getState = () => this.#state;

  open() {
    this.#closing = new AbortController();
    if (this.#state.view === "loading") void this.load();
  }

  /** Only the watching ends: the server goes on with a running turn. */
  close() {
    this.#closing.abort();
    cancelAnimationFrame(this.#unseen.frame);
  }

  load = async () => {
    this.#set({ view: "loading", problem: null });
    await this.#guarded(async (signal) => {
      await this.#read(signal);
      this.#set({ view: "ready" });
      this.#onChange(this.#conversationId!);
      await this.#followRunning();
    }, viewOf);
  };

  loadEarlier = () =>
    this.#guarded(async (signal) => {
      const page = await this.#api.listMessages(this.#conversationId!, {
        before: this.#earlierCursor,
        signal,
      });
      this.#earlierCursor = page.next_cursor;
      const messages = [...page.data.map(fromApi), ...this.#state.messages];
      this.#set({ messages, hasEarlier: page.has_more, problem: null });
    }, problemOf);

  send = (text: string) => {
    const attempt = {
      idempotencyKey: newIdempotencyKey(),
      message: text,
      conversationId: this.#conversationId,
    };
    const message = userMessage(attempt.idempotencyKey, text);
    this.#set({ messages: [...this.#state.messages, message] });
    return this.#run(message.id, attempt);
  };

  /** Asks again for the answer to a user's message that has none, or whose answer went wrong. */
  retry = (userMessageId: string) => {
    const { messages } = this.#state;
    const asked = messages.findIndex(({ id }) => id === userMessageId);
    const answer = messages[asked + 1];
    const attempt = this.#attempts.get(userMessageId);
    // The server repeats a failed turn in place under its key. A cancelled one counts as done,
    // and the key of an attempt made before a reload is gone: those are asked anew.
    if (!attempt || answer?.status === "cancelled") return this.send(messages[asked]!.content);
    const kept = answer ? withoutMessage(messages, answer.id) : messages;
    this.#set({ messages: patched(kept, userMessageId, { status: "sending", error: null }) });
    return this.#run(userMessageId, attempt);
  };

  /** Takes a message that could not be sent back, for its writer to change it. */
  withdraw = (id: string) => {
    this.#attempts.delete(id);
    this.#set({ messages: withoutMessage(this.#state.messages, id) });
  };

  stop = () => {
    const answer = this.#state.messages.find(({ status }) => status === "in_progress");
    if (!answer || !this.#conversationId) return Promise.resolve();
    this.#set({ isStopping: true, problem: null });
    return this.#guarded(
      () => this.#api.cancelTurn(this.#conversationId!, answer.id),
      (error) => ({ ...problemOf(error), isStopping: false }),
    );
  };

  async #run(questionId: string, attempt: Attempt) {
    const { signal } = this.#closing;
    const turn: Turn = { attempt, questionId, answerId: null, isEnded: false };
    this.#attempts.set(questionId, attempt);
    this.#set({ announcement: "", problem: null, isSignedOut: false });
    try {
      for await (const event of this.#api.runTurn(attempt, signal)) {
        if (signal.aborted) return;
        this.#apply(event, turn);
      }
      if (!turn.answerId) throw connectionLost();
      if (!turn.isEnded) await this.#follow(turn.answerId);
    } catch (error) {
      if (signal.aborted) return;
      await this.#refuse(turn.questionId, error);
    }
  }

  #apply(event: TurnEvent, turn: Turn) {
    switch (event.type) {
      case "turn.created":
        this.#accept(turn, event.conversation_id, event.user_message_id, event.message_id);
        break;
      case "turn.output_text.delta":
        this.#grow(turn.answerId!, event.delta);
        break;
      case "turn.tool_call": {
        const toolCalls = withToolCall(this.#find(turn.answerId)?.toolCalls ?? [], event);
        this.#patch(turn.answerId!, { toolCalls });
        break;
      }
      case "turn.completed":
        // A plain JSON reply comes without the events before it.
        if (!turn.answerId) {
          this.#accept(turn, event.conversation_id, turn.questionId, event.message_id);
        }
        this.#end(turn, {
          status: "completed",
          content: event.response,
          toolCalls: event.tool_calls,
        });
        break;
      case "turn.cancelled":
        // A replayed one comes without deltas.
        this.#end(turn, {
          status: "cancelled",
          ...(event.response && { content: event.response }),
        });
        break;
      case "turn.failed":
        this.#end(turn, { status: "failed", error: event.problem.detail });
        break;
      default:
        event satisfies never; // from a newer server, and not for this page
    }
  }

  /** The server has stored the message: it and its conversation have their ids from there. */
  #accept(turn: Turn, conversationId: string, questionId: string, answerId: string) {
    const { messages } = this.#state;
    const stored = { id: questionId, status: "completed", error: null } as const;
    // After a lost connection the message may have been read from the server meanwhile.
    const isKnown = turn.questionId !== questionId && this.#find(questionId) !== undefined;
    const asked = isKnown
      ? withoutMessage(messages, turn.questionId)
      : patched(messages, turn.questionId, stored);
    this.#attempts.delete(turn.questionId);
    this.#attempts.set(questionId, turn.attempt);
    turn.questionId = questionId;
    turn.answerId = answerId;
    this.#conversationId = conversationId;
    this.#set({ messages: appended(asked, emptyAnswer(answerId)) });
    this.#onChange(conversationId);
  }

  #end(turn: Turn, change: Partial<ChatMessage>) {
    turn.isEnded = true;
    this.#flush();
    this.#patch(turn.answerId!, change);
    this.#finished(turn.answerId!);
  }

  #finished(answerId: string) {
    this.#set({ isStopping: false, announcement: this.#find(answerId)?.content ?? "" });
    this.#onChange(this.#conversationId!);
  }

  /** One update of the page a frame, however many deltas arrive in it. */
  #grow(messageId: string, delta: string) {
    this.#unseen.messageId = messageId;
    this.#unseen.text += delta;
    this.#unseen.frame ||= requestAnimationFrame(() => this.#flush());
  }

  #flush() {
    const { messageId, text, frame } = this.#unseen;
    cancelAnimationFrame(frame);
    this.#unseen = { messageId: "", text: "", frame: 0 };
    const answer = this.#find(messageId);
    if (answer && text) this.#patch(messageId, { content: answer.content + text });
  }

  async #refuse(questionId: string, error: unknown) {
    if (!(error instanceof ApiError)) throw error;
    this.#patch(questionId, { status: "unsent", error: error.message });
    this.#set({ isSignedOut: error.isSignedOut });
    if (error.isBusy && this.#conversationId) {
      await this.#guarded((signal) => this.#read(signal), problemOf);
      await this.#followRunning();
    }
  }

  async #followRunning() {
    const running = this.#state.messages.find(({ status }) => status === "in_progress");
    if (running) await this.#follow(running.id);
  }

  /** Reads the conversation until the answer has ended: somebody else holds its stream, or nobody. */
  async #follow(answerId: string) {
    const { signal } = this.#closing;
    this.#flush();
    let wait = POLL_MS.first;
    for (;;) {
      await pause(wait, signal);
      if (signal.aborted) return;
      try {
        await this.#read(signal);
        wait = Math.min(wait * 1.25, POLL_MS.longest);
        this.#set({ problem: null });
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof ApiError) || error.isFinal) throw error;
        wait = Math.min(wait * 2, POLL_MS.longestOffline);
        this.#set({ problem: error.message });
      }
      if (this.#find(answerId)?.status !== "in_progress") return this.#finished(answerId);
    }
  }

  async #read(signal: AbortSignal) {
    const page = await this.#api.listMessages(this.#conversationId!, { signal });
    const messages = merged(this.#state.messages, page.data.map(fromApi));
    // While pages read before lie above this one, theirs is the place to go on from.
    if (messages[0]?.id === page.data[0]?.id) {
      this.#earlierCursor = page.next_cursor;
      this.#set({ hasEarlier: page.has_more });
    }
    this.#set({ messages });
  }

  async #guarded(
    work: (signal: AbortSignal) => Promise<unknown>,
    onError: (error: ApiError) => Partial<ChatState>,
  ) {
    const { signal } = this.#closing;
    try {
      await work(signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      this.#set(onError(error));
    }
  }

  #find(id: string | null) {
    return this.#state.messages.find((message) => message.id === id);
  }

  #patch(id: string, change: Partial<ChatMessage>) {
    this.#set({ messages: patched(this.#state.messages, id, change) });
  }

  #set(change: Partial<ChatState>) {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

function problemOf(error: ApiError): Partial<ChatState> {
  return { problem: error.message, isSignedOut: error.isSignedOut };
}

function viewOf(error: ApiError): Partial<ChatState> {
  if (error.isSignedOut) return { view: "signed-out" };
  if (error.isForbidden) return { view: "forbidden" };
  // 422: an address with something that is no id.
  if (error.isMissing || error.status === 422) return { view: "missing" };
  return { view: "unavailable", problem: error.message };
}
