import type { ChatApi } from "@/services/chat_api";
import { ApiError } from "@/services/errors";
import { isRunning, isWaiting, patched, type ChatMessage } from "./messages";
import type { PendingRatings } from "./ratings";
import { toolName } from "./toolName";

export type ChatView = "loading" | "ready" | "forbidden" | "missing" | "unavailable" | "signed-out";

/** A question that is being put differently. */
export interface Edit {
  messageId: string;
  text: string;
  error: string | null;
}

export interface ChatState {
  view: ChatView;
  conversationId: string | null;
  messages: ChatMessage[];
  hasEarlier: boolean;
  edit: Edit | null;
  ratings: PendingRatings;
  /** The message that is being sent, edited, regenerated or decided about, until the server answers. */
  beginning: string | null;
  /** To the answer that is being written: `checking` after it broke, until the answer moves again. */
  connection: "good" | "checking" | "unreachable";
  isStopping: boolean;
  isSignedOut: boolean;
  /** Why the last thing that was asked for was not done. */
  problem: string | null;
  /** The reply that has just been finished, for screen readers. */
  announcement: string;
}

/** One conversation on the screen: its state, and what all who change that state have in common. */
export class OpenChat {
  readonly api: ChatApi;
  readonly #onChange: (conversationId: string) => void;
  readonly #listeners = new Set<() => void>();
  #state: ChatState;
  #closing = new AbortController();

  constructor(
    api: ChatApi,
    conversationId: string | null,
    onChange: (conversationId: string) => void,
  ) {
    this.api = api;
    this.#onChange = onChange;
    this.#state = {
      view: conversationId ? "loading" : "ready",
      conversationId,
      messages: [],
      hasEarlier: false,
      edit: null,
      ratings: {},
      beginning: null,
      connection: "good",
      isStopping: false,
      isSignedOut: false,
      problem: null,
      announcement: "",
    };
  }

  get state() {
    return this.#state;
  }

  /** Given when the conversation is left. */
  get signal() {
    return this.#closing.signal;
  }

  /** The answer that is being written. */
  get running() {
    return this.#state.messages.find(isRunning);
  }

  get isBusy() {
    return this.#state.beginning !== null || this.running !== undefined;
  }

  subscribe(listener: () => void) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  open() {
    this.#closing = new AbortController();
  }

  close() {
    this.#closing.abort();
  }

  find(id: string) {
    return this.#state.messages.find((message) => message.id === id);
  }

  set(change: Partial<ChatState>) {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }

  patch(id: string, change: Partial<ChatMessage>) {
    this.set({ messages: patched(this.#state.messages, id, change) });
  }

  changed() {
    if (this.#state.conversationId) this.#onChange(this.#state.conversationId);
  }

  finished(answerId: string) {
    const answer = this.find(answerId);
    const announcement = answer ? announcementOf(answer) : "";
    this.set({ isStopping: false, connection: "good", problem: null, announcement });
    this.changed();
  }

  /** Does what may fail; `onError` says what is shown then. */
  async guarded(
    work: (signal: AbortSignal) => Promise<unknown>,
    onError: (error: ApiError) => Partial<ChatState>,
  ) {
    const { signal } = this;
    try {
      await work(signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      this.set(onError(error));
    }
  }
}

function announcementOf(answer: ChatMessage): string {
  if (!isWaiting(answer)) return answer.content;
  const tools = answer.toolCalls.filter(isWaiting).map(({ name }) => toolName(name));
  return `${answer.content} The assistant waits for your decision: ${tools.join(", ")}.`.trim();
}

export function problemOf(error: ApiError): Partial<ChatState> {
  return { problem: error.message, isSignedOut: error.isSignedOut };
}
