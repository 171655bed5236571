import type { ChatApi } from "./chat_api";
import { ApiError } from "./errors";
import { newIdempotencyKey } from "./idempotency_key";

interface Operation {
  type: string;
  params?: { thread_id?: string };
}

const RUN_A_TURN = new Set([
  "threads.create",
  "threads.add_user_message",
  "threads.add_client_tool_output",
  "threads.add_structured_input",
  "threads.retry_after_item",
  "threads.custom_action",
]);
const CHANGE_THE_LIST = new Set(["threads.update", "threads.delete"]);
// The element and its frame say in no certain order that they leave a conversation and that they abort.
const LEAVING_TAKES_MS = 300;

interface Listener {
  /** A turn has begun or ended in the conversation that is shown. */
  onTurn: (conversationId: string) => void;
  /** A conversation was renamed or deleted, or one has begun that is not shown. */
  onList: () => void;
}

/** ChatKit's way to the API. */
export class ChatKitApi {
  readonly #api: ChatApi;
  readonly #listener: Listener;
  #shown: string | null;
  /** One object for each time that a conversation is opened: new ones have no id to tell them by. */
  #view = {};
  #beginning = 0;
  #isOpen = true;
  /** A request for a turn of which it is not known whether the server has it. */
  #uncertain: { body: string; key: string } | null = null;

  constructor(api: ChatApi, shown: string | null, listener: Listener) {
    this.#api = api;
    this.#shown = shown;
    this.#listener = listener;
  }

  /** Takes down which conversation ChatKit shows, null for a new one; says whether it is another. */
  show(conversationId: string | null): boolean {
    const isAnother = conversationId !== this.#shown;
    if (isAnother) this.#view = {};
    this.#shown = conversationId;
    return isAnother;
  }

  /** As `show`, of what a person opens: a new one is another when the one shown has been said something. */
  open(conversationId: string | null): boolean {
    const isAnother = this.show(conversationId);
    if (isAnother || conversationId !== null || this.#beginning === 0) return isAnother;
    this.#view = {};
    return true;
  }

  enter() {
    this.#isOpen = true;
  }

  /** Call it before the element leaves the page and aborts what it reads: the turns go on. */
  leave() {
    this.#isOpen = false;
  }

  /** Every request goes to the API, whatever its address: the token is for nobody else. */
  fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init);
    const body = await request.text();
    const operation = JSON.parse(body) as Operation;
    if (RUN_A_TURN.has(operation.type)) return this.#turn(body, operation, request.signal);
    try {
      const response = await this.#api.chatKit(operation, newIdempotencyKey());
      if (CHANGE_THE_LIST.has(operation.type)) this.#listener.onList();
      return response;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (operation.type === "threads.delete" && error.isMissing) {
        this.#listener.onList(); // perhaps by this very request, sent before in vain
        return Response.json({});
      }
      return refused(error);
    }
  };

  /** A request that comes again after nobody could tell what became of it has the same key again. */
  async #turn(body: string, operation: Operation, signal: AbortSignal): Promise<Response> {
    const key = this.#uncertain?.body === body ? this.#uncertain.key : newIdempotencyKey();
    this.#uncertain = null;
    const onUncertain = () => {
      this.#uncertain = { body, key };
    };
    const answer = this.#api.chatKit(operation, key);
    const isNew = !operation.params?.thread_id;
    if (isNew) this.#beginning += 1;
    try {
      return await this.#follow(answer, operation, signal, onUncertain);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.isUncertain) onUncertain();
      return refusedTurn(error);
    } finally {
      if (isNew) this.#beginning -= 1;
    }
  }

  /**
   * Hands on the stream of a turn. The API goes on when nobody reads it, so what ChatKit aborts has to be
   * stopped, be it before the answer's address is known; but not when its conversation was merely left.
   */
  async #follow(
    answer: Promise<Response>,
    { params }: Operation,
    signal: AbortSignal,
    onUncertain: () => void,
  ): Promise<Response> {
    let conversationId = params?.thread_id ?? null;
    const view = this.#view;
    const isShown = () =>
      this.#isOpen && (conversationId ? conversationId === this.#shown : view === this.#view);
    const changed = () => {
      if (conversationId && isShown()) this.#listener.onTurn(conversationId);
    };
    const stop = async () => {
      await new Promise((resolve) => setTimeout(resolve, LEAVING_TAKES_MS));
      if (!isShown()) return;
      const turn = turnOf(await answer);
      if (turn) await this.#api.cancelTurn(turn.conversationId, turn.messageId);
      changed();
    };
    const onAbort = () => {
      // Nobody presses Stop in a tab that is hidden: what is aborted there may be asked for again.
      if (document.hidden) onUncertain();
      // Where stopping fails the turn goes on, and reading the conversation tells so.
      else void stop().catch(() => undefined);
      // A reply that comes later is not read by anybody.
      void answer.then(({ body }) => body?.cancel()).catch(() => undefined);
      if (!conversationId) void answer.then(this.#listener.onList).catch(() => undefined);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    const release = () => signal.removeEventListener("abort", onAbort);

    const response = await unlessAborted(answer, signal);
    const turn = turnOf(response);
    if (turn) {
      if (!isShown()) this.#listener.onList();
      else this.#shown = turn.conversationId;
      conversationId = turn.conversationId;
      changed();
    }
    const body = handedOn(response.body!, signal, {
      onEnd() {
        release();
        changed();
      },
      onBroken() {
        // It was not ChatKit that stopped reading, though it may abort what is broken.
        release();
        onUncertain();
        changed();
      },
      onCancel: onAbort,
    });
    return new Response(body, response);
  }
}

/** The answer that a streamed reply is about. */
function turnOf({ headers }: Response) {
  const address = headers.get("Content-Location") ?? "";
  const [, conversationId, messageId] =
    /\/conversations\/([^/]+)\/messages\/([^/]+)$/.exec(address) ?? [];
  return conversationId && messageId ? { conversationId, messageId } : null;
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  return Promise.race([promise, aborted]);
}

interface Reading {
  onEnd: () => void;
  onBroken: () => void;
  onCancel: () => void;
}

/** The same bytes; after an abort it fails as the request's own stream would. */
function handedOn(body: ReadableStream<Uint8Array>, signal: AbortSignal, reading: Reading) {
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
        reading.onBroken();
        throw error;
      });
      if (!done) return controller.enqueue(value);
      reading.onEnd();
      controller.close();
    },
    cancel() {
      reading.onCancel();
      return reader.cancel();
    },
  });
}

/** A stream with the words of the problem: of a reply that is no stream ChatKit shows its own words only. */
function refusedTurn({ status, message, isSignedOut }: ApiError): Response {
  const event =
    status === 429
      ? { type: "notice", level: "warning", message }
      : {
          type: "error",
          code: "custom",
          message: isSignedOut ? `${message} Sign in again in another tab, then retry.` : message,
          allow_retry: true,
        };
  const headers = { "Content-Type": "text/event-stream" };
  return new Response(`data: ${JSON.stringify(event)}\n\n`, { headers });
}

function refused(error: ApiError): Response {
  if (error.status === 0) throw error;
  const { message, status } = error;
  return Response.json({ message, detail: message }, { status });
}
