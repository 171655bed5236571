import type { ChatApi } from "@/services/chat_api";
import { toApiError, type ApiError } from "@/services/errors";
import { CUT_OFF, isWaiting, type ChatMessage } from "./chatMessage";
import { initialState, type ChatState } from "./chatState";
import { withChange } from "./messageList";
import { toolName } from "./toolCalls";

/** The state of the open conversation, and what all classes that change it share. */
export class ChatStore {
  readonly api: ChatApi;
  readonly #onChange: (conversationId: string) => void;
  readonly #listeners = new Set<() => void>();
  #state: ChatState;
  readonly #closing = new AbortController();
  #isOpen = false;
  #closeTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    api: ChatApi,
    conversationId: string | null,
    onChange: (conversationId: string) => void,
  ) {
    this.api = api;
    this.#onChange = onChange;
    this.#state = initialState(conversationId);
  }

  get state() {
    return this.#state;
  }

  /** Aborted when the conversation is closed. */
  get signal() {
    return this.#closing.signal;
  }

  subscribe(listener: () => void) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Returns false if it is open already. */
  open(): boolean {
    clearTimeout(this.#closeTimer);
    const wasOpen = this.#isOpen;
    this.#isOpen = true;
    return !wasOpen;
  }

  /** Later, because in development React closes what it has just opened, and opens it again. */
  close() {
    this.#closeTimer = setTimeout(() => this.#closing.abort());
  }

  find(id: string) {
    return this.#state.messages.find((message) => message.id === id);
  }

  set(change: Partial<ChatState>) {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }

  setMessage(id: string, change: Partial<ChatMessage>) {
    this.set({ messages: withChange(this.#state.messages, id, change) });
  }

  /** Tells the page that the conversation exists, or that a turn in it has started or ended. */
  reportChange() {
    if (this.#state.conversationId) this.#onChange(this.#state.conversationId);
  }

  finishTurn(answerId: string) {
    const answer = this.find(answerId);
    const announcement = answer ? announcementOf(answer) : "";
    this.set({ isStopping: false, connection: "good", problem: null, announcement });
    this.reportChange();
  }

  /** Calls the API; when that fails, `onError` decides what is shown. */
  async request(
    call: (signal: AbortSignal) => Promise<unknown>,
    onError: (error: ApiError) => Partial<ChatState>,
  ) {
    const { signal } = this;
    try {
      await call(signal);
    } catch (error) {
      if (signal.aborted) return;
      this.set(onError(toApiError(error)));
    }
  }

  /** Shows a failure that an act does not handle itself. */
  watch(act: Promise<unknown>) {
    act.catch((failure: unknown) => {
      this.set({ pendingId: null, isStopping: false, ...problemOf(toApiError(failure)) });
    });
  }
}

function announcementOf(answer: ChatMessage): string {
  if (answer.isCutOff) return `${answer.content} ${CUT_OFF}`.trim();
  if (!isWaiting(answer)) return answer.content;
  const tools = answer.toolCalls.filter(isWaiting).map(({ name }) => toolName(name));
  return `${answer.content} The assistant waits for your decision: ${tools.join(", ")}.`.trim();
}

export function problemOf(error: ApiError): Partial<ChatState> {
  return { problem: error.message, isSignedOut: error.isSignedOut };
}
