import type { ServerResponse } from "node:http";
import { ChatController } from "@/chat/chatController";
import { AccessToken } from "@/services/access_token";
import { ChatApi } from "@/services/chat_api";
import { ApiServer, makeToken, openStream, sendJson, type Received } from "./apiServer";

export const CREATED = { conversation_id: "c-1", message_id: "a-1", user_message_id: "u-1" };
export const REPLY = {
  conversation_id: "c-1",
  message_id: "a-1",
  response: "Hello Ada.",
  status: "completed",
  tool_calls: [],
};
const MESSAGE = {
  status: "completed",
  content: "",
  tool_calls: [],
  feedback: null,
  error: null,
  version: 1,
  version_count: 1,
};

export const question = (change: object = {}) => ({
  ...MESSAGE,
  id: "u-1",
  role: "user",
  content: "Hi",
  ...change,
});

export const answer = (change: object = {}) => ({
  ...MESSAGE,
  id: "a-1",
  role: "assistant",
  ...change,
});

export const problem = (status: number, detail: string, type = "/problems/x") => ({
  type,
  title: "x",
  status,
  detail,
});

export const createApi = (apiUrl: string) =>
  new ChatApi({ apiUrl }, "ada", new AccessToken("ada", async () => makeToken("ada")));

const shownBy = (controller: ChatController) =>
  controller.getState().messages.map(({ role, status, content }) => [role, status, content]);

export const page = (...data: object[]) => ({ data, has_more: false, next_cursor: null });

/** A server for tests of the chat, and the controllers that talk to it. */
export class ChatTest {
  readonly server = new ApiServer();
  readonly #opened: ChatController[] = [];
  #api: ChatApi | null = null;

  async start() {
    this.#api = createApi(await this.server.start());
  }

  get api() {
    return this.#api!;
  }

  stop() {
    for (const controller of this.#opened) controller.close();
    return this.server.stop();
  }

  /** Lets `respond` answer POST requests, and answers all others with `messages`. */
  serve(
    respond: (response: ServerResponse, request: Received) => unknown,
    messages: () => object[] = () => [],
  ) {
    this.server.answer((response, request) => {
      if (request.method === "POST") respond(response, request);
      else sendJson(response, page(...messages()));
    });
  }

  /** The requests that start a turn. */
  turns() {
    return this.server.received.filter(({ path }) =>
      /\/(chat|edit|regenerate|approval)$/.test(path),
    );
  }

  keys() {
    return this.turns().map(({ headers }) => headers["idempotency-key"]);
  }

  open(conversationId: string | null = null) {
    const onChange = jest.fn();
    const controller = new ChatController(this.api, conversationId, onChange);
    controller.open();
    this.#opened.push(controller);
    return { onChange, controller, state: controller.getState, shown: () => shownBy(controller) };
  }
}

/** Streams a whole turn at once. */
export function answerWith(response: ServerResponse, created: object = {}, reply: object = {}) {
  const send = openStream(response);
  send("turn.created", { ...CREATED, ...created });
  send("turn.completed", { ...REPLY, ...reply });
  response.end();
}

export const refuseAsBusy = (response: ServerResponse) =>
  sendJson(response, problem(409, "Still writing.", "/problems/turn-in-progress"), 409, {
    "Retry-After": "2",
  });
