import { ApiError } from "./errors";
import { readEventStream } from "./event_stream";
import { Requests, type RequestOptions } from "./requests";
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

export interface Addresses {
  apiUrl: string;
  /** The streaming endpoint, if `apiUrl` cannot stream. */
  streamUrl?: string;
}

export class ChatApi {
  readonly #requests: Requests;
  readonly #streamBase: string | undefined;
  /** The path of everything that belongs to the user. */
  readonly #userPath: string;

  constructor({ apiUrl, streamUrl }: Addresses, userId: string, token: AccessToken) {
    this.#requests = new Requests(apiUrl, token);
    this.#streamBase = streamUrl && `${streamUrl}/api`;
    this.#userPath = `/${encodeURIComponent(userId)}`;
  }

  listConversations(cursor?: string | null): Promise<ConversationPage> {
    return this.#requests.json("GET", `${this.#userPath}/conversations`, {
      query: { limit: 30, cursor },
    });
  }

  getConversation(id: string): Promise<Conversation> {
    return this.#requests.json("GET", this.#conversation(id));
  }

  renameConversation(id: string, title: string): Promise<Conversation> {
    return this.#requests.json("PATCH", this.#conversation(id), { body: { title } });
  }

  async deleteConversation(id: string): Promise<void> {
    await this.#requests.send("DELETE", this.#conversation(id));
  }

  listMessages(
    conversationId: string,
    { before, signal }: { before?: string | null; signal?: AbortSignal } = {},
  ): Promise<MessagePage> {
    const path = `${this.#conversation(conversationId)}/messages`;
    return this.#requests.json("GET", path, { query: { limit: 50, before }, signal });
  }

  /** A page of a message's versions, the newest page first, in it the oldest first. */
  listVersions(
    conversationId: string,
    messageId: string,
    before: string | null,
  ): Promise<MessageVersions> {
    const path = `${this.#message(conversationId, messageId)}/versions`;
    return this.#requests.json("GET", path, { query: { before } });
  }

  /** Stops a turn in progress. Returns its answer with the text so far. */
  cancelTurn(conversationId: string, messageId: string): Promise<Message> {
    return this.#requests.json("POST", `${this.#message(conversationId, messageId)}/cancel`);
  }

  /** Stores the user's rating of an answer; `null` removes it. */
  async rateAnswer(conversationId: string, messageId: string, rating: Rating | null) {
    const path = `${this.#message(conversationId, messageId)}/feedback`;
    if (rating) await this.#requests.send("PUT", path, { body: { rating } });
    else await this.#requests.send("DELETE", path);
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
    return (await this.#requests.json<{ data: Model[] }>("GET", "/models")).data;
  }

  /** What may be spent in a day, and what is left of it. */
  async getQuota(): Promise<Quota> {
    const path = `${this.#userPath}/usage`;
    return (await this.#requests.json<{ quota: Quota }>("GET", path, { query: { days: 1 } })).quota;
  }

  get chatKitUrl() {
    return `${this.#streamBase ?? this.#requests.base}/chatkit`;
  }

  /** Sends a request in ChatKit's protocol. A lost request is repeated once, under the same key. */
  async chatKit(body: object, idempotencyKey: string): Promise<Response> {
    const options = { body, headers: { "Idempotency-Key": idempotencyKey } };
    try {
      return await this.#postTurn("/chatkit", options);
    } catch (error) {
      const isLost = error instanceof ApiError && error.status === 0;
      if (!isLost || this.#streamBase) throw error; // With a streaming endpoint it was sent twice already.
      return this.#requests.send("POST", "/chatkit", options);
    }
  }

  /** Falls back from the streaming endpoint to the other one. The key keeps it the same turn. */
  async #postTurn(path: string, options: RequestOptions): Promise<Response> {
    if (this.#streamBase) {
      try {
        return await this.#requests.send("POST", path, { ...options, base: this.#streamBase });
      } catch (error) {
        if (!(error instanceof ApiError) || error.isFromApi) throw error;
      }
    }
    return this.#requests.send("POST", path, options);
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
