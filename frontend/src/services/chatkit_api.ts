import type { ChatApi } from "./chat_api";
import { ChatKitTurn, ShownConversation, type ChatKitListener } from "./chatkit_turn";
import { ApiError } from "./errors";
import { newIdempotencyKey } from "./idempotency_key";

interface Operation {
  type: string;
  params?: { thread_id?: string };
}

const TURN_OPERATIONS = new Set([
  "threads.create",
  "threads.add_user_message",
  "threads.add_client_tool_output",
  "threads.add_structured_input",
  "threads.retry_after_item",
  "threads.custom_action",
]);
const LIST_OPERATIONS = new Set(["threads.update", "threads.delete"]);

/** Sends ChatKit's requests to the API. */
export class ChatKitApi {
  readonly #api: ChatApi;
  readonly #listener: ChatKitListener;
  readonly #shown: ShownConversation;
  /** How many new conversations are being created. */
  #creating = 0;
  /** The last turn request, if it is unknown whether the server received it. */
  #uncertain: { body: string; key: string } | null = null;

  constructor(api: ChatApi, conversationId: string | null, listener: ChatKitListener) {
    this.#api = api;
    this.#listener = listener;
    this.#shown = new ShownConversation(conversationId);
  }

  /** Call when ChatKit shows another conversation, `null` for a new one. Returns whether it is another. */
  show(conversationId: string | null): boolean {
    const isAnother = conversationId !== this.#shown.id;
    if (isAnother) this.#shown.view = {};
    this.#shown.id = conversationId;
    return isAnother;
  }

  /** Like `show`, when the user opens one: a new one is another if the new one shown has a first message. */
  open(conversationId: string | null): boolean {
    if (this.show(conversationId)) return true;
    if (conversationId !== null || this.#creating === 0) return false;
    this.#shown.view = {};
    return true;
  }

  enter() {
    this.#shown.isPageOpen = true;
  }

  /** Call before the element leaves the page and aborts its streams, so that the turns continue. */
  leave() {
    this.#shown.isPageOpen = false;
  }

  /** Ignores the address: every request goes to the API, because nobody else may have the token. */
  fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init);
    const body = await request.text();
    const operation = JSON.parse(body) as Operation;
    if (TURN_OPERATIONS.has(operation.type)) return this.#turn(body, operation, request.signal);
    try {
      const response = await this.#api.chatKit(operation, newIdempotencyKey());
      if (LIST_OPERATIONS.has(operation.type)) this.#listener.onList();
      return response;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (operation.type === "threads.delete" && error.isMissing) {
        this.#listener.onList(); // An earlier attempt may have deleted it.
        return Response.json({});
      }
      return errorResponse(error);
    }
  };

  async #turn(body: string, operation: Operation, signal: AbortSignal): Promise<Response> {
    // A repeated request needs the same key, so that the server does not start a second turn.
    const key = this.#uncertain?.body === body ? this.#uncertain.key : newIdempotencyKey();
    this.#uncertain = null;
    const onUncertain = () => {
      this.#uncertain = { body, key };
    };
    const conversationId = operation.params?.thread_id ?? null;
    const turn = new ChatKitTurn({
      api: this.#api,
      listener: this.#listener,
      shown: this.#shown,
      conversationId,
      response: this.#api.chatKit(operation, key),
      onUncertain,
    });
    if (!conversationId) this.#creating += 1;
    try {
      return await turn.relay(signal);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.isUncertain) onUncertain();
      return errorStream(error);
    } finally {
      if (!conversationId) this.#creating -= 1;
    }
  }
}

/** A stream with the error's own message: for a response that is no stream, ChatKit shows a message of its own. */
function errorStream({ status, message, isSignedOut }: ApiError): Response {
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

function errorResponse(error: ApiError): Response {
  if (error.status === 0) throw error;
  const { message, status } = error;
  return Response.json({ message, detail: message }, { status });
}
