import { connectionLost, fromResponse } from "./errors";
import { readEventStream } from "./event_stream";
import type { AccessToken } from "./access_token";
import type {
  ChatReply,
  Conversation,
  ConversationPage,
  MessagePage,
  Problem,
  TurnEvent,
} from "./types";

export interface TurnRequest {
  message: string;
  conversationId: string | null;
  idempotencyKey: string;
}

type Query = Record<string, string | number | null | undefined>;

export class ChatApi {
  readonly #base: string;
  readonly #token: AccessToken;

  constructor(apiUrl: string, userId: string, token: AccessToken) {
    this.#base = `${apiUrl}/api/${encodeURIComponent(userId)}`;
    this.#token = token;
  }

  listConversations(cursor?: string | null): Promise<ConversationPage> {
    return this.#json("GET", "/conversations", { query: { limit: 30, cursor } });
  }

  getConversation(id: string): Promise<Conversation> {
    return this.#json("GET", `/conversations/${encodeURIComponent(id)}`);
  }

  renameConversation(id: string, title: string): Promise<Conversation> {
    return this.#json("PATCH", `/conversations/${encodeURIComponent(id)}`, { body: { title } });
  }

  async deleteConversation(id: string): Promise<void> {
    await this.#send("DELETE", `/conversations/${encodeURIComponent(id)}`);
  }

  listMessages(
    conversationId: string,
    { before, signal }: { before?: string | null; signal?: AbortSignal } = {},
  ): Promise<MessagePage> {
    const path = `/conversations/${encodeURIComponent(conversationId)}/messages`;
    return this.#json("GET", path, { query: { limit: 50, before }, signal });
  }

  async cancelTurn(conversationId: string, messageId: string): Promise<void> {
    const conversation = encodeURIComponent(conversationId);
    const message = encodeURIComponent(messageId);
    await this.#send("POST", `/conversations/${conversation}/messages/${message}/cancel`);
  }

  /**
   * Runs a turn and yields what happens in it. Ends without a final event when the connection
   * is lost: the server goes on, and reading the messages tells how it ended.
   */
  async *runTurn(turn: TurnRequest, signal: AbortSignal): AsyncGenerator<TurnEvent> {
    const response = await this.#send("POST", "/chat", {
      body: {
        message: turn.message,
        ...(turn.conversationId && { conversation_id: turn.conversationId }),
      },
      headers: { Accept: "text/event-stream", "Idempotency-Key": turn.idempotencyKey },
      signal,
    });
    if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
      yield { type: "turn.completed", ...((await response.json()) as ChatReply) };
      return;
    }
    try {
      for await (const { event, data } of readEventStream(response.body!)) {
        yield toTurnEvent(event, data);
      }
    } catch (error) {
      if (signal.aborted) throw error;
    }
  }

  async #json<T>(method: string, path: string, options?: RequestOptions): Promise<T> {
    const response = await this.#send(method, path, options);
    return (await response.json()) as T;
  }

  /** Every request goes through here; a 401 is retried once with a new token, body and key unchanged. */
  async #send(method: string, path: string, options: RequestOptions = {}): Promise<Response> {
    const token = await this.#token.get();
    let response = await this.#fetch(method, path, options, token);
    if (response.status === 401) {
      await this.#token.reject(token);
      response = await this.#fetch(method, path, options, await this.#token.get());
    }
    if (!response.ok) throw await fromResponse(response);
    return response;
  }

  async #fetch(
    method: string,
    path: string,
    { query, body, headers, signal }: RequestOptions,
    token: string,
  ): Promise<Response> {
    const url = new URL(this.#base + path);
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value != null) url.searchParams.set(name, String(value));
    }
    try {
      return await fetch(url, {
        method,
        headers: {
          ...headers,
          Authorization: `Bearer ${token}`,
          ...(body !== undefined && { "Content-Type": "application/json" }),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal,
        cache: "no-store",
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw connectionLost();
    }
  }
}

interface RequestOptions {
  query?: Query;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

function toTurnEvent(type: string, data: string): TurnEvent {
  const payload: unknown = JSON.parse(data);
  if (type === "turn.failed") return { type, problem: payload as Problem };
  return { type, ...(payload as object) } as TurnEvent;
}
