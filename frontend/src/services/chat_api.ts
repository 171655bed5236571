import { ApiError, connectionLost, fromResponse } from "./errors";
import { readEventStream } from "./event_stream";
import type { AccessToken } from "./access_token";
import type {
  Conversation,
  ConversationPage,
  Message,
  MessagePage,
  MessageVersions,
  Model,
  Problem,
  Rating,
  TurnEvent,
  TurnRequest,
} from "./types";

type Query = Record<string, string | number | null | undefined>;

export interface Addresses {
  apiUrl: string;
  /** Of a door that streams, where the API's own sends its answers whole. */
  streamUrl?: string;
}

export class ChatApi {
  readonly #base: string;
  readonly #streamBase: string | undefined;
  /** Where what is the user's own lies. */
  readonly #own: string;
  readonly #token: AccessToken;

  constructor({ apiUrl, streamUrl }: Addresses, userId: string, token: AccessToken) {
    this.#base = `${apiUrl}/api`;
    this.#streamBase = streamUrl && `${streamUrl}/api`;
    this.#own = `/${encodeURIComponent(userId)}`;
    this.#token = token;
  }

  listConversations(cursor?: string | null): Promise<ConversationPage> {
    return this.#json("GET", `${this.#own}/conversations`, { query: { limit: 30, cursor } });
  }

  getConversation(id: string): Promise<Conversation> {
    return this.#json("GET", this.#conversation(id));
  }

  renameConversation(id: string, title: string): Promise<Conversation> {
    return this.#json("PATCH", this.#conversation(id), { body: { title } });
  }

  async deleteConversation(id: string): Promise<void> {
    await this.#send("DELETE", this.#conversation(id));
  }

  listMessages(
    conversationId: string,
    { before, signal }: { before?: string | null; signal?: AbortSignal } = {},
  ): Promise<MessagePage> {
    const path = `${this.#conversation(conversationId)}/messages`;
    return this.#json("GET", path, { query: { limit: 50, before }, signal });
  }

  /** Every version of a message, the first one first. */
  listVersions(conversationId: string, messageId: string): Promise<MessageVersions> {
    return this.#json("GET", `${this.#message(conversationId, messageId)}/versions`);
  }

  /** Stops a running turn; returns its answer, with the text it has so far. */
  cancelTurn(conversationId: string, messageId: string): Promise<Message> {
    return this.#json("POST", `${this.#message(conversationId, messageId)}/cancel`);
  }

  /** Keeps what the user thinks of an answer; `null` removes it. */
  async rateAnswer(conversationId: string, messageId: string, rating: Rating | null) {
    const path = `${this.#message(conversationId, messageId)}/feedback`;
    if (rating) await this.#send("PUT", path, { body: { rating } });
    else await this.#send("DELETE", path);
  }

  /**
   * Runs a turn and yields what happens in it. Ends without a final event when the connection
   * is lost: the server goes on, and reading the messages tells how it ended.
   */
  async *runTurn(turn: TurnRequest, signal: AbortSignal): AsyncGenerator<TurnEvent> {
    const response = await this.#beginTurn(this.#turn(turn), {
      body: turnBody(turn),
      headers: { Accept: "text/event-stream", "Idempotency-Key": turn.idempotencyKey },
      signal,
    });
    try {
      for await (const { event, data } of readEventStream(response.body!)) {
        yield toTurnEvent(event, data);
      }
    } catch (error) {
      if (signal.aborted) throw error;
    }
  }

  /** The models that a person may choose from; the first is what answers otherwise. */
  async listModels(): Promise<Model[]> {
    return (await this.#json<{ data: Model[] }>("GET", "/models")).data;
  }

  get chatKitUrl() {
    return `${this.#streamBase ?? this.#base}/chatkit`;
  }

  /** A request in ChatKit's protocol. When it is lost it is sent again, once: by its key it is the same. */
  async chatKit(body: object, idempotencyKey: string): Promise<Response> {
    const options = { body, headers: { "Idempotency-Key": idempotencyKey } };
    try {
      return await this.#beginTurn("/chatkit", options);
    } catch (error) {
      const isLost = error instanceof ApiError && error.status === 0;
      if (!isLost || this.#streamBase) throw error; // with two doors it was sent twice
      return this.#send("POST", "/chatkit", options);
    }
  }

  /** Where the streaming door is out of order, the other one: by its key it is the same turn. */
  async #beginTurn(path: string, options: RequestOptions): Promise<Response> {
    if (this.#streamBase) {
      try {
        return await this.#send("POST", path, { ...options, base: this.#streamBase });
      } catch (error) {
        if (!(error instanceof ApiError) || error.isFromApi) throw error;
      }
    }
    return this.#send("POST", path, options);
  }

  #conversation(id: string): string {
    return `${this.#own}/conversations/${encodeURIComponent(id)}`;
  }

  #message(conversationId: string, messageId: string): string {
    return `${this.#conversation(conversationId)}/messages/${encodeURIComponent(messageId)}`;
  }

  #turn(turn: TurnRequest): string {
    if (turn.kind === "send") return `${this.#own}/chat`;
    return `${this.#message(turn.conversationId, turn.messageId)}/${turn.kind}`;
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
    { base = this.#base, query, body, headers, signal }: RequestOptions,
    token: string,
  ): Promise<Response> {
    const url = new URL(base + path);
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
  base?: string;
  query?: Query;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

function turnBody(turn: TurnRequest): object | undefined {
  switch (turn.kind) {
    case "send":
      return {
        message: turn.message,
        ...(turn.conversationId && { conversation_id: turn.conversationId }),
      };
    case "edit":
      return { message: turn.message };
    case "approval":
      return { approved: turn.approved, calls: turn.calls };
    case "regenerate":
      return undefined;
    default:
      return turn satisfies never;
  }
}

function toTurnEvent(type: string, data: string): TurnEvent {
  const payload: unknown = JSON.parse(data);
  if (type === "turn.failed") return { type, problem: payload as Problem };
  return { type, ...(payload as object) } as TurnEvent;
}
