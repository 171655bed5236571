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
  Quota,
  Rating,
  TurnEvent,
  TurnRequest,
} from "./types";

type Query = Record<string, string | number | null | undefined>;

export interface Addresses {
  apiUrl: string;
  /** The streaming endpoint, if `apiUrl` cannot stream. */
  streamUrl?: string;
}

export class ChatApi {
  readonly #base: string;
  readonly #streamBase: string | undefined;
  /** The path of everything that belongs to the user. */
  readonly #userPath: string;
  readonly #token: AccessToken;

  constructor({ apiUrl, streamUrl }: Addresses, userId: string, token: AccessToken) {
    this.#base = `${apiUrl}/api`;
    this.#streamBase = streamUrl && `${streamUrl}/api`;
    this.#userPath = `/${encodeURIComponent(userId)}`;
    this.#token = token;
  }

  listConversations(cursor?: string | null): Promise<ConversationPage> {
    return this.#json("GET", `${this.#userPath}/conversations`, { query: { limit: 30, cursor } });
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

  /** Every version of a message, oldest first. */
  listVersions(conversationId: string, messageId: string): Promise<MessageVersions> {
    return this.#json("GET", `${this.#message(conversationId, messageId)}/versions`);
  }

  /** Stops a turn in progress. Returns its answer with the text so far. */
  cancelTurn(conversationId: string, messageId: string): Promise<Message> {
    return this.#json("POST", `${this.#message(conversationId, messageId)}/cancel`);
  }

  /** Stores the user's rating of an answer; `null` removes it. */
  async rateAnswer(conversationId: string, messageId: string, rating: Rating | null) {
    const path = `${this.#message(conversationId, messageId)}/feedback`;
    if (rating) await this.#send("PUT", path, { body: { rating } });
    else await this.#send("DELETE", path);
  }

  /**
   * Starts a turn and yields its events. Ends without a final event if the connection is lost: the server
   * continues the turn, and the stored messages show how it ended.
   */
  async *streamTurn(turn: TurnRequest, signal: AbortSignal): AsyncGenerator<TurnEvent> {
    const response = await this.#postTurn(this.#turnPath(turn), {
      body: turnBody(turn),
      headers: { Accept: "text/event-stream", "Idempotency-Key": turn.idempotencyKey },
      signal,
    });
    try {
      for await (const { event = "message", data } of readEventStream(response.body!)) {
        yield toTurnEvent(event, data);
      }
    } catch (error) {
      if (signal.aborted) throw error;
    }
  }

  /** The models that the user may choose from; the first is the default. */
  async listModels(): Promise<Model[]> {
    return (await this.#json<{ data: Model[] }>("GET", "/models")).data;
  }

  /** What may be spent in a day, and what is left of it. */
  async getQuota(): Promise<Quota> {
    const path = `${this.#userPath}/usage`;
    return (await this.#json<{ quota: Quota }>("GET", path, { query: { days: 1 } })).quota;
  }

  get chatKitUrl() {
    return `${this.#streamBase ?? this.#base}/chatkit`;
  }

  /** Sends a request in ChatKit's protocol. A lost request is repeated once, under the same key. */
  async chatKit(body: object, idempotencyKey: string): Promise<Response> {
    const options = { body, headers: { "Idempotency-Key": idempotencyKey } };
    try {
      return await this.#postTurn("/chatkit", options);
    } catch (error) {
      const isLost = error instanceof ApiError && error.status === 0;
      if (!isLost || this.#streamBase) throw error; // With a streaming endpoint it was sent twice already.
      return this.#send("POST", "/chatkit", options);
    }
  }

  /** Falls back from the streaming endpoint to the other one. The key keeps it the same turn. */
  async #postTurn(path: string, options: RequestOptions): Promise<Response> {
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
    return `${this.#userPath}/conversations/${encodeURIComponent(id)}`;
  }

  #message(conversationId: string, messageId: string): string {
    return `${this.#conversation(conversationId)}/messages/${encodeURIComponent(messageId)}`;
  }

  #turnPath(turn: TurnRequest): string {
    if (turn.kind === "send") return `${this.#userPath}/chat`;
    const action = turn.kind === "resume" ? "approval" : turn.kind;
    return `${this.#message(turn.conversationId, turn.messageId)}/${action}`;
  }

  async #json<T>(method: string, path: string, options?: RequestOptions): Promise<T> {
    const response = await this.#send(method, path, options);
    try {
      return (await response.json()) as T;
    } catch (error) {
      if (options?.signal?.aborted) throw error;
      throw connectionLost(); // The body broke off, or something else has responded.
    }
  }

  /** Sends a request. After a 401 it is repeated once with a new token; body and key stay the same. */
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
    case "resume":
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
