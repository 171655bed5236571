import { ApiError } from "@/services/errors";
import type { ChatMessage } from "./chatMessage";
import { answerInProgress, type ChatState } from "./chatState";
import { problemOf, type ChatStore } from "./chatStore";
import { hasGrown } from "./messageList";
import type { MessageLoader } from "./messageLoader";
import { pause } from "./pause";

const POLL_MS = { first: 1_000, longest: 2_000, longestOffline: 15_000 };

/** Keeps the page in step with the stored messages while no stream does. */
export class MessagePoller {
  readonly #store: ChatStore;
  readonly #loader: MessageLoader;
  readonly #onIdle: () => void;
  #isPolling = false;
  #wake = new AbortController();

  constructor(
    store: ChatStore,
    loader: MessageLoader,
    /** Called when all polled answers have ended. */
    onIdle: () => void,
  ) {
    this.#store = store;
    this.#loader = loader;
    this.#onIdle = onIdle;
  }

  /** Loads the conversation, and retries while the server cannot be reached. A second call retries at once. */
  load = async () => {
    if (this.#store.state.view === "unavailable") return this.#wake.abort();
    this.#store.set({ view: "loading", problem: null });
    let wait = POLL_MS.first;
    while (!(await this.#tryToLoad())) {
      await this.#pause(wait);
      wait = Math.min(wait * 2, POLL_MS.longestOffline);
    }
    if (this.#store.signal.aborted || this.#store.state.view !== "ready") return;
    this.#store.reportChange();
    await this.poll();
  };

  /** Picks up changes from elsewhere. Most failures stay silent because the user did not ask for this. */
  refresh = async () => {
    if (this.#isPolling) return this.#wake.abort();
    await this.#store.request(
      async () => {
        await this.#loader.loadLatest();
        this.#store.set({ isSignedOut: false });
        await this.poll();
      },
      (error) => {
        if (error.isSignedOut) return problemOf(error);
        return error.isFinal ? viewOf(error) : {};
      },
    );
  };

  /** Reads the messages again and again until no answer is in progress. */
  async poll(connection: ChatState["connection"] = "good") {
    if (this.#isPolling || !answerInProgress(this.#store.state)) return;
    this.#isPolling = true;
    this.#store.set({ connection });
    try {
      await this.#store.request(() => this.#pollUntilEnded(), problemOf);
    } finally {
      this.#isPolling = false;
    }
    if (!this.#store.signal.aborted && !answerInProgress(this.#store.state)) this.#onIdle();
  }

  /** Returns false if another attempt makes sense. */
  async #tryToLoad(): Promise<boolean> {
    const { signal } = this.#store;
    if (signal.aborted) return true;
    await this.#store.request(async () => {
      await this.#loader.loadLatest();
      this.#store.set({ view: "ready", problem: null });
    }, viewOf);
    return signal.aborted || this.#store.state.view !== "unavailable";
  }

  async #pollUntilEnded() {
    const { signal } = this.#store;
    let wait = POLL_MS.first;
    let answer = answerInProgress(this.#store.state);
    while (answer) {
      await this.#pause(wait);
      if (signal.aborted) return;
      wait = await this.#pollOnce(answer, wait);
      if (this.#store.find(answer.id)?.status !== "in_progress") this.#store.finishTurn(answer.id);
      answer = answerInProgress(this.#store.state);
    }
  }

  /** Returns how long to wait before the next poll. */
  async #pollOnce(answer: ChatMessage, wait: number): Promise<number> {
    try {
      await this.#loader.loadLatest();
    } catch (error) {
      if (!(error instanceof ApiError) || error.isFinal) throw error;
      this.#store.set({ connection: "unreachable" });
      return Math.min(wait * 2, POLL_MS.longestOffline);
    }
    if (hasGrown(answer, this.#store.find(answer.id))) this.#store.set({ connection: "good" });
    else if (this.#store.state.connection === "unreachable") {
      this.#store.set({ connection: "checking" });
    }
    return Math.min(wait * 1.25, POLL_MS.longest);
  }

  /** Ends early when the user comes back to the page, or leaves the conversation. */
  #pause(ms: number): Promise<void> {
    this.#wake = new AbortController();
    return pause(ms, AbortSignal.any([this.#store.signal, this.#wake.signal]));
  }
}

function viewOf(error: ApiError): Partial<ChatState> {
  if (error.isSignedOut) return { view: "signed-out" };
  if (error.isForbidden) return { view: "forbidden" };
  // 422: the id in the address is malformed.
  if (error.isMissing || error.status === 422) return { view: "missing" };
  return { view: "unavailable", problem: error.message };
}
