import { renderHook } from "@testing-library/react";
import type { ServerResponse } from "node:http";
import { useChat } from "@/hooks/useChat";
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

export const page = (...data: object[]) => ({ data, has_more: false, next_cursor: null });

/** A chat hook in front of a server of its own; `serve` says how that answers. */
export class ChatTest {
  readonly server = new ApiServer();
  #api: ChatApi | null = null;

  async start() {
    const token = new AccessToken("ada", async () => makeToken("ada"));
    this.#api = new ChatApi({ apiUrl: await this.server.start() }, "ada", token);
  }

  stop() {
    return this.server.stop();
  }

  /** Answers POST with `act` and everything else with the messages that `messages` returns. */
  serve(
    act: (response: ServerResponse, request: Received) => unknown,
    messages: () => object[] = () => [],
  ) {
    this.server.answer((response, request) => {
      if (request.method === "POST") act(response, request);
      else sendJson(response, page(...messages()));
    });
  }

  /** What was asked of the model, whichever way. */
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
    const { result, unmount } = renderHook(() => useChat(this.#api!, conversationId, onChange));
    return {
      onChange,
      unmount,
      store: () => result.current.store,
      state: () => result.current.state,
      shown: () =>
        result.current.state.messages.map(({ role, status, content }) => [role, status, content]),
    };
  }
}

/** A whole turn in one go. */
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
