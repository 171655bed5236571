import type { ChatApi } from "./chat_api";

// ChatKit leaves a conversation and aborts its stream in no fixed order, but within this time.
const LEAVING_MS = 300;

export interface ChatKitListener {
  /** A turn has started or ended in the conversation that is shown. */
  onTurn: (conversationId: string) => void;
  /** A conversation was renamed or deleted, or one has been created that is not shown. */
  onList: () => void;
}

/** The conversation that ChatKit shows, `null` for a new one. */
export class ShownConversation {
  id: string | null;
  isPageOpen = true;
  /** Replaced whenever another conversation is opened: new conversations have no id to tell them apart. */
  view = {};

  constructor(id: string | null) {
    this.id = id;
  }
}

/** A turn that ChatKit has requested. */
export class ChatKitTurn {
  readonly #api: ChatApi;
  readonly #listener: ChatKitListener;
  readonly #shown: ShownConversation;
  readonly #view: object;
  readonly #response: Promise<Response>;
  readonly #onUncertain: () => void;
  #conversationId: string | null;

  constructor(options: {
    api: ChatApi;
    listener: ChatKitListener;
    shown: ShownConversation;
    conversationId: string | null;
    response: Promise<Response>;
    /** Called when the turn was lost: the server may have it, and ChatKit may request it again. */
    onUncertain: () => void;
  }) {
    this.#api = options.api;
    this.#listener = options.listener;
    this.#shown = options.shown;
    this.#view = options.shown.view;
    this.#conversationId = options.conversationId;
    this.#response = options.response;
    this.#onUncertain = options.onUncertain;
  }

  /**
   * Passes the turn's stream on to ChatKit. The server continues a turn that nobody reads, so an abort has to
   * stop the turn as well, even before its address is known, unless ChatKit only left the conversation.
   */
  async relay(signal: AbortSignal): Promise<Response> {
    const onAbort = () => this.#abort();
    signal.addEventListener("abort", onAbort, { once: true });
    const release = () => signal.removeEventListener("abort", onAbort);

    const response = await unlessAborted(this.#response, signal);
    this.#start(response);
    const body = relayBody(response.body!, signal, {
      onEnd: () => {
        release();
        this.#reportChange();
      },
      onError: () => {
        // The connection broke. If ChatKit aborts the broken stream, that is no request to stop.
        release();
        this.#onUncertain();
        this.#reportChange();
      },
      onCancel: onAbort,
    });
    return new Response(body, response);
  }

  get #isShown() {
    if (!this.#shown.isPageOpen) return false;
    if (this.#conversationId) return this.#conversationId === this.#shown.id;
    return this.#view === this.#shown.view;
  }

  #start(response: Response) {
    const address = addressOf(response);
    if (!address) return;
    if (this.#isShown) this.#shown.id = address.conversationId;
    else this.#listener.onList();
    this.#conversationId = address.conversationId;
    this.#reportChange();
  }

  #reportChange() {
    if (this.#conversationId && this.#isShown) this.#listener.onTurn(this.#conversationId);
  }

  #abort() {
    // Nobody presses Stop in a hidden tab: ChatKit drops the stream there, and may request the turn again.
    if (document.hidden) this.#onUncertain();
    // If stopping fails, the turn continues, and the stored messages show that.
    else void this.#stop().catch(() => undefined);
    // Nobody reads a response that arrives later.
    void this.#response.then(({ body }) => body?.cancel()).catch(() => undefined);
    if (!this.#conversationId) {
      void this.#response.then(this.#listener.onList).catch(() => undefined);
    }
  }

  async #stop() {
    await new Promise((resolve) => setTimeout(resolve, LEAVING_MS));
    if (!this.#isShown) return;
    const address = addressOf(await this.#response);
    if (address) await this.#api.cancelTurn(address.conversationId, address.messageId);
    this.#reportChange();
  }
}

/** The answer that a streamed response belongs to. */
function addressOf({ headers }: Response) {
  const location = headers.get("Content-Location") ?? "";
  const [, conversationId, messageId] =
    /\/conversations\/([^/]+)\/messages\/([^/]+)$/.exec(location) ?? [];
  return conversationId && messageId ? { conversationId, messageId } : null;
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  return Promise.race([promise, aborted]);
}

interface BodyListener {
  onEnd: () => void;
  onError: () => void;
  onCancel: () => void;
}

/** A stream of the same bytes. An abort makes it fail as the original would. */
function relayBody(body: ReadableStream<Uint8Array>, signal: AbortSignal, listener: BodyListener) {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const onAbort = () => {
        controller.error(signal.reason);
        void reader.cancel().catch(() => undefined);
      };
      signal.addEventListener("abort", onAbort, { once: true });
    },
    async pull(controller) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        listener.onError();
        throw error;
      });
      if (!done) return controller.enqueue(value);
      listener.onEnd();
      controller.close();
    },
    cancel() {
      listener.onCancel();
      return reader.cancel();
    },
  });
}
