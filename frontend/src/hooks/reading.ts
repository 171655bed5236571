import { ApiError } from "@/services/errors";
import { newIdempotencyKey } from "@/services/idempotency_key";
import { fromApi, hasGrown, merged, userMessage, type ChatMessage } from "./messages";
import { problemOf, type ChatState, type OpenChat } from "./openChat";
import { pause } from "./pause";

const POLL_MS = { first: 1_000, longest: 2_000, longestOffline: 15_000 };
const CHANGED_ELSEWHERE = "The message was changed elsewhere meanwhile. Your text is kept here.";

/** Keeps the page in step with what the server has stored. */
export class Reading {
  readonly #chat: OpenChat;
  readonly #onIdle: () => void;
  #earlierCursor: string | null = null;
  #isFollowing = false;
  #wake = new AbortController();

  constructor(
    chat: OpenChat,
    /** Called when every answer that was followed has ended. */
    onIdle: () => void,
  ) {
    this.#chat = chat;
    this.#onIdle = onIdle;
  }

  /** Goes on trying while the server cannot be reached; called again, it tries at once. */
  load = async () => {
    if (this.#chat.state.view === "unavailable") return this.#wake.abort();
    this.#chat.set({ view: "loading", problem: null });
    let wait = POLL_MS.first;
    while (!(await this.#isLoaded())) {
      await this.#pause(wait);
      wait = Math.min(wait * 2, POLL_MS.longestOffline);
    }
    if (this.#chat.signal.aborted || this.#chat.state.view !== "ready") return;
    this.#chat.changed();
    await this.follow();
  };

  loadEarlier = () =>
    this.#chat.guarded(async (signal) => {
      const page = await this.#chat.api.listMessages(this.#id, {
        before: this.#earlierCursor,
        signal,
      });
      this.#earlierCursor = page.next_cursor;
      const messages = [...page.data.map(fromApi), ...this.#chat.state.messages];
      this.#chat.set({ messages, hasEarlier: page.has_more, problem: null });
    }, problemOf);

  /** The versions of a message, the first one first; none when they cannot be read. */
  listVersions = async (messageId: string): Promise<ChatMessage[]> => {
    let versions: ChatMessage[] = [];
    await this.#chat.guarded(async () => {
      const { data } = await this.#chat.api.listVersions(this.#id, messageId);
      versions = data.map(fromApi);
    }, problemOf);
    return versions;
  };

  /** Looks for what has changed elsewhere. A failure is not worth a word: nobody has asked. */
  refresh = async () => {
    if (this.#isFollowing) return this.#wake.abort();
    await this.#chat.guarded(
      async () => {
        await this.#read();
        this.#chat.set({ isSignedOut: false });
        await this.follow();
      },
      (error) => {
        if (error.isSignedOut) return problemOf(error);
        return error.isFinal ? viewOf(error) : {};
      },
    );
  };

  /** Reads until no answer is running: somebody else holds its stream, or nobody does any more. */
  async follow(connection: ChatState["connection"] = "good") {
    if (this.#isFollowing || !this.#chat.running) return;
    this.#isFollowing = true;
    this.#chat.set({ connection });
    try {
      await this.#chat.guarded(() => this.#followRunning(), problemOf);
    } finally {
      this.#isFollowing = false;
    }
    if (!this.#chat.signal.aborted && !this.#chat.running) this.#onIdle();
  }

  /** Whether there is an end to it: the messages, a refusal, or nobody who would want them. */
  async #isLoaded(): Promise<boolean> {
    const { signal } = this.#chat;
    if (signal.aborted) return true;
    await this.#chat.guarded(async () => {
      await this.#read();
      this.#chat.set({ view: "ready", problem: null });
    }, viewOf);
    return signal.aborted || this.#chat.state.view !== "unavailable";
  }

  async #followRunning() {
    const { signal } = this.#chat;
    let wait = POLL_MS.first;
    for (let answer = this.#chat.running; answer; answer = this.#chat.running) {
      await this.#pause(wait);
      if (signal.aborted) return;
      wait = await this.#poll(answer, wait);
      if (this.#chat.find(answer.id)?.status !== "in_progress") this.#chat.finished(answer.id);
    }
  }

  /** Reads once, and says how long to wait before the next time. */
  async #poll(answer: ChatMessage, wait: number): Promise<number> {
    try {
      await this.#read();
    } catch (error) {
      if (!(error instanceof ApiError) || error.isFinal) throw error;
      this.#chat.set({ connection: "unreachable" });
      return Math.min(wait * 2, POLL_MS.longestOffline);
    }
    if (hasGrown(answer, this.#chat.find(answer.id))) this.#chat.set({ connection: "good" });
    else if (this.#chat.state.connection === "unreachable") {
      this.#chat.set({ connection: "checking" });
    }
    return Math.min(wait * 1.25, POLL_MS.longest);
  }

  /** Waits until the time is over, somebody comes back to the page, or leaves it. */
  #pause(ms: number): Promise<void> {
    this.#wake = new AbortController();
    return pause(ms, AbortSignal.any([this.#chat.signal, this.#wake.signal]));
  }

  async #read(): Promise<void> {
    const { signal } = this.#chat;
    const { ratings } = this.#chat.state;
    const page = await this.#chat.api.listMessages(this.#id, { signal });
    const { state } = this.#chat;
    // What was rated meanwhile may be newer than what was read.
    if (state.ratings !== ratings) return this.#read();
    const messages = merged(state.messages, page.data.map(fromApi));
    // While pages read before lie above this one, theirs is the place to go on from.
    if (messages[0]?.id === page.data[0]?.id) {
      this.#earlierCursor = page.next_cursor;
      this.#chat.set({ hasEarlier: page.has_more });
    }
    this.#chat.set({ messages, ...orphanedEdit(state, messages) });
  }

  get #id() {
    return this.#chat.state.conversationId!;
  }
}

/** The edited message is gone: replaced by this very edit, whose answer was lost, or elsewhere. */
function orphanedEdit(before: ChatState, messages: ChatMessage[]): Partial<ChatState> {
  const { edit } = before;
  if (!edit || messages.some(({ id }) => id === edit.messageId)) return {};
  const isStored = messages.some(
    ({ id, role, content }) =>
      role === "user" && content === edit.text && !before.messages.some((shown) => shown.id === id),
  );
  if (isStored) return { edit: null };
  const kept = { status: "unsent", error: CHANGED_ELSEWHERE } as const;
  return { edit: null, messages: [...messages, userMessage(newIdempotencyKey(), edit.text, kept)] };
}

function viewOf(error: ApiError): Partial<ChatState> {
  if (error.isSignedOut) return { view: "signed-out" };
  if (error.isForbidden) return { view: "forbidden" };
  // 422: an address with something that is no id.
  if (error.isMissing || error.status === 422) return { view: "missing" };
  return { view: "unavailable", problem: error.message };
}
