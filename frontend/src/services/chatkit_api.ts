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

interface Listener {
  /** A turn has begun or ended in the conversation that is shown. */
  onTurn: (conversationId: string) => void;
  /** A conversation was renamed or deleted. */
  onList: () => void;
}

/** ChatKit's way to the API. */
export class ChatKitApi {
  readonly #api: ChatApi;
  readonly #listener: Listener;
  #shown: string | null;
  #isOpen = true;

  constructor(api: ChatApi, shown: string | null, listener: Listener) {
    this.#api = api;
    this.#shown = shown;
    this.#listener = listener;
  }

  /** Takes down which conversation ChatKit shows, null for a new one; says whether it is another. */
  show(conversationId: string | null): boolean {
    const isAnother = conversationId !== this.#shown;
    this.#shown = conversationId;
    return isAnother;
  }

  open() {
    this.#isOpen = true;
  }

  /** Call it before the element leaves the page and aborts what it reads: the turns go on. */
  close() {
    this.#isOpen = false;
  }

  /** Every request goes to the API, whatever its address: the token is for nobody else. */
  fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init);
    const operation = (await request.json()) as Operation;
    const runsTurn = RUN_A_TURN.has(operation.type);
    const answer = this.#api.chatKit(operation, newIdempotencyKey());
    try {
      if (runsTurn) return await this.#follow(answer, operation, request.signal);
      const response = await answer;
      if (CHANGE_THE_LIST.has(operation.type)) this.#listener.onList();
      return response;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return runsTurn ? refusedTurn(error) : refused(error);
    }
  };

  /**
   * Hands on the stream of a turn. The API goes on when nobody reads it, so what ChatKit aborts has to be
   * stopped, be it before the answer's address is known; but not when its conversation was merely left.
   */
  async #follow(
    answer: Promise<Response>,
    { params }: Operation,
    signal: AbortSignal,
  ): Promise<Response> {
    let conversationId = params?.thread_id ?? null;
    const isShown = () => this.#isOpen && conversationId === this.#shown;
    const changed = () => {
      if (conversationId && isShown()) this.#listener.onTurn(conversationId);
    };
    const stop = async () => {
      if (!isShown()) return;
      const turn = turnOf(await answer);
      if (turn) await this.#api.cancelTurn(turn.conversationId, turn.messageId);
      changed();
    };
    const onAbort = () => {
      // Where stopping fails the turn goes on, and reading the conversation tells so.
      void stop().catch(() => undefined);
      // A reply that comes later is not read by anybody.
      void answer.then(({ body }) => body?.cancel()).catch(() => undefined);
    };
    signal.addEventListener("abort", onAbort, { once: true });

    const response = await unlessAborted(answer, signal);
    const turn = turnOf(response);
    if (turn) {
      if (isShown()) this.#shown = turn.conversationId;
      conversationId = turn.conversationId;
      changed();
    }
    const onEnd = () => {
      signal.removeEventListener("abort", onAbort);
      changed();
    };
    return new Response(handedOn(response.body!, signal, onEnd, onAbort), response);
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

/** The same bytes; after an abort it fails as the request's own stream would. */
function handedOn(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  onEnd: () => void,
  onCancel: () => void,
) {
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
      const { done, value } = await reader.read();
      if (!done) return controller.enqueue(value);
      onEnd();
      controller.close();
    },
    cancel() {
      onCancel();
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
  return Response.json({ detail: error.message }, { status: error.status });
}
