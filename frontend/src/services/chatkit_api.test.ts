import type { ServerResponse } from "node:http";
import { ApiServer, makeToken, sendJson } from "@/testing/apiServer";
import { problem } from "@/testing/chat";
import { AccessToken } from "./access_token";
import { ChatApi } from "./chat_api";
import { ChatKitApi } from "./chatkit_api";

const server = new ApiServer();
let url: string;

beforeAll(async () => (url = await server.start()));
afterAll(() => server.stop());

const ANSWER = "/api/ada/conversations/c-1/messages/m-2";
const CANCEL = `${ANSWER}/cancel`;
const CREATE = { type: "threads.create", params: {} };
const ADD = { type: "threads.add_user_message", params: { thread_id: "c-1" } };

function createKit(shown: string | null = null) {
  let issued = 0;
  const token = new AccessToken("ada", async () => makeToken("ada", 900, ++issued));
  const listener = { onTurn: jest.fn(), onList: jest.fn() };
  const api = new ChatApi({ apiUrl: url }, "ada", token);
  return { ...listener, kit: new ChatKitApi(api, shown, listener) };
}

/** Sends a request as ChatKit does. */
const ask = (kit: ChatKitApi, operation: object, signal?: AbortSignal) =>
  kit.fetch(`${url}/api/chatkit`, { method: "POST", body: JSON.stringify(operation), signal });

const event = (value: object) => `data: ${JSON.stringify(value)}\n\n`;

function openTurn(response: ServerResponse) {
  response.writeHead(200, { "Content-Type": "text/event-stream", "Content-Location": ANSWER });
  response.write(event({ type: "thread.created" }));
}

/** Answers ChatKit's requests with `answer`, and all others with an empty object. */
function serve(answer: (response: ServerResponse) => void) {
  server.answer((response, { path }) =>
    path === "/api/chatkit" ? answer(response) : sendJson(response, {}),
  );
}

const cancelled = () => server.received.filter(({ path }) => path === CANCEL).length;

const keys = () =>
  server.received
    .filter(({ path }) => path === "/api/chatkit")
    .map(({ headers }) => headers["idempotency-key"]);

/** Waits longer than leaving a conversation takes. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 400));

test("sends a request to the API with a token and a key of its own", async () => {
  server.answer((response) => sendJson(response, { data: [] }));
  const { kit } = createKit();
  const response = await ask(kit, { type: "threads.list", params: {} });
  await ask(kit, { type: "threads.list", params: {} });
  await expect(response.json()).resolves.toEqual({ data: [] });
  const [first, second] = server.received;
  expect(first).toMatchObject({
    method: "POST",
    path: "/api/chatkit",
    body: { type: "threads.list", params: {} },
    headers: { authorization: expect.stringMatching(/^Bearer .+\..+/) as string },
  });
  expect(first!.headers["idempotency-key"]).toBeTruthy();
  expect(second!.headers["idempotency-key"]).not.toBe(first!.headers["idempotency-key"]);
});

test("sends the token to the API only, whatever the requested address", async () => {
  server.answer((response) => sendJson(response, {}));
  const { kit } = createKit();
  const init = { method: "POST", body: JSON.stringify({ type: "threads.list" }) };
  await kit.fetch("https://elsewhere.example/collect", init);
  expect(server.received).toMatchObject([{ path: "/api/chatkit" }]);
});

test("repeats a request after a 401 with a new token and the same key", async () => {
  server.answer((response) => sendJson(response, {}, server.received.length === 1 ? 401 : 200));
  const { kit } = createKit();
  expect((await ask(kit, { type: "threads.list" })).status).toBe(200);
  const [first, second] = server.received;
  expect(second!.headers["idempotency-key"]).toBe(first!.headers["idempotency-key"]);
  expect(second!.headers.authorization).not.toBe(first!.headers.authorization);
});

test("repeats a lost request once, with the same key", async () => {
  serve((response) => {
    if (server.received.length === 1) return void response.destroy();
    openTurn(response);
    response.end();
  });
  const { kit } = createKit();
  await expect((await ask(kit, CREATE)).text()).resolves.toContain("thread.created");
  const [first, second] = server.received;
  expect(second!.headers["idempotency-key"]).toBe(first!.headers["idempotency-key"]);
});

test("reports an unreachable server as an error event in the stream", async () => {
  serve((response) => void response.destroy());
  const { kit } = createKit();
  await expect((await ask(kit, CREATE)).text()).resolves.toContain("cannot be reached");
  expect(server.received).toHaveLength(2);
  await expect(ask(kit, { type: "threads.list" })).rejects.toThrow("cannot be reached");
});

test("relays a turn's stream byte for byte, and reports its start and end", async () => {
  serve((response) => {
    openTurn(response);
    setTimeout(() => response.end(event({ type: "thread.item.done" })), 20);
  });
  const { kit, onTurn } = createKit();
  const response = await ask(kit, CREATE);
  expect(response.headers.get("Content-Type")).toBe("text/event-stream");
  expect(onTurn.mock.calls).toEqual([["c-1"]]);
  expect(kit.show("c-1")).toBe(false); // The new conversation is shown already.
  await expect(response.text()).resolves.toBe(
    event({ type: "thread.created" }) + event({ type: "thread.item.done" }),
  );
  expect(onTurn.mock.calls).toEqual([["c-1"], ["c-1"]]);
});

test("does not report a turn that ends in a conversation the user has left", async () => {
  serve((response) => {
    openTurn(response);
    setTimeout(() => response.end(), 20);
  });
  const { kit, onTurn } = createKit("c-1");
  const response = await ask(kit, ADD);
  kit.show("c-9");
  await response.text();
  expect(onTurn).toHaveBeenCalledTimes(1);
});

test("Stop cancels the turn, not only its stream", async () => {
  serve(openTurn);
  const { kit } = createKit("c-1");
  const stop = new AbortController();
  const response = await ask(kit, ADD, stop.signal);
  const text = response.text();
  stop.abort();
  await expect(text).rejects.toThrow("aborted");
  await settled();
  expect(cancelled()).toBe(1);
});

test("Stop before the turn has started cancels it as soon as it starts", async () => {
  serve((response) => void setTimeout(() => openTurn(response), 50));
  const { kit } = createKit();
  const stop = new AbortController();
  const response = ask(kit, CREATE, stop.signal);
  setTimeout(() => stop.abort(), 10);
  await expect(response).rejects.toThrow("aborted");
  expect(cancelled()).toBe(0);
  await settled();
  expect(cancelled()).toBe(1);
});

test("cancels a turn whose stream ChatKit stops reading", async () => {
  serve(openTurn);
  const { kit } = createKit("c-1");
  const response = await ask(kit, ADD);
  await response.body!.cancel();
  await settled();
  expect(cancelled()).toBe(1);
});

test.each<[string, (kit: ChatKitApi) => unknown]>([
  ["another conversation is opened", (kit) => kit.show("c-9")],
  ["ChatKit is closed", (kit) => kit.leave()],
])("when %s, the turn continues, whatever ChatKit does first", async (_, leave) => {
  serve(openTurn);
  const { kit } = createKit("c-1");
  const stop = new AbortController();
  const response = await ask(kit, ADD, stop.signal);
  stop.abort();
  leave(kit);
  await expect(response.text()).rejects.toThrow("aborted");
  await settled();
  expect(cancelled()).toBe(0);
});

const breakOff = (response: ServerResponse) => {
  openTurn(response);
  setTimeout(() => response.destroy(), 20);
};
const complete = (response: ServerResponse) => {
  openTurn(response);
  response.end();
};
const refuse =
  (status: number): typeof complete =>
  (response) =>
    sendJson(response, { message: "Not now." }, status);

/** Answers ChatKit's first request with the first response, and so on. */
function serveInTurn(...answers: (typeof complete)[]) {
  serve((response) => answers.shift()!(response));
}

test("does not cancel a turn whose broken stream ChatKit aborts", async () => {
  serve(breakOff);
  const { kit } = createKit("c-1");
  const giveUp = new AbortController();
  const response = await ask(kit, ADD, giveUp.signal);
  await expect(response.text()).rejects.toThrow();
  giveUp.abort();
  await settled();
  expect(cancelled()).toBe(0);
});

test("does not cancel a turn aborted in a hidden tab, and repeats it with the same key", async () => {
  const hidden = jest.spyOn(document, "hidden", "get").mockReturnValue(true);
  serve(openTurn);
  const { kit } = createKit("c-1");
  const hide = new AbortController();
  const response = await ask(kit, ADD, hide.signal);
  hide.abort();
  await expect(response.text()).rejects.toThrow("aborted");
  await settled();
  hidden.mockRestore();
  expect(cancelled()).toBe(0);
  await ask(kit, ADD);
  const [first, second] = keys();
  expect(second).toBe(first);
});

test.each([
  ["its stream broke", breakOff],
  ["a gateway failed", refuse(502)],
])(
  "a turn requested again after %s has the same key, and another turn has not",
  async (_, fail) => {
    serveInTurn(fail, complete, complete);
    const { kit } = createKit("c-1");
    for (let times = 0; times < 3; times++) {
      await (await ask(kit, ADD)).text().catch(() => undefined);
    }
    const [first, again, another] = keys();
    expect(again).toBe(first);
    expect(another).not.toBe(first);
  },
);

test("does not reuse the key of a turn that was stopped or refused", async () => {
  serveInTurn(openTurn, refuse(409), complete);
  const { kit } = createKit("c-1");
  const stop = new AbortController();
  const response = await ask(kit, ADD, stop.signal);
  stop.abort();
  await expect(response.text()).rejects.toThrow("aborted");
  await settled();
  await ask(kit, ADD);
  await ask(kit, ADD);
  expect(new Set(keys()).size).toBe(3);
});

test("lists a new conversation that the user left, and does not confuse it with the next new one", async () => {
  serve((response) => void setTimeout(() => openTurn(response), 50));
  const { kit, onTurn, onList } = createKit();
  const response = ask(kit, CREATE);
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(kit.open(null)).toBe(true);
  await response;
  expect(onTurn).not.toHaveBeenCalled();
  expect(onList).toHaveBeenCalledTimes(1);
  expect(kit.show(null)).toBe(false);
  expect(kit.open(null)).toBe(false); // It has no message yet.
});

test("does not cancel a turn that has ended when its request is aborted later", async () => {
  serve((response) => {
    openTurn(response);
    response.end();
  });
  const { kit } = createKit("c-1");
  const stop = new AbortController();
  await (await ask(kit, ADD, stop.signal)).text();
  stop.abort();
  await settled();
  expect(cancelled()).toBe(0);
});

test.each([
  [409, problem(409, "Still writing."), { type: "error", code: "custom", allow_retry: true }],
  [503, { message: "Still writing." }, { type: "error", code: "custom", allow_retry: true }],
  [429, problem(429, "Still writing."), { type: "notice", level: "warning" }],
])("a refusal with %i is shown with the message of the problem", async (status, body, shown) => {
  serve((response) => sendJson(response, body, status));
  const { kit } = createKit("c-1");
  const response = await ask(kit, ADD);
  expect(response.status).toBe(200);
  expect(response.headers.get("Content-Type")).toBe("text/event-stream");
  const text = await response.text();
  expect(text).toMatch(/^data: .*\n\n$/);
  expect(JSON.parse(text.slice(6))).toEqual({ ...shown, message: "Still writing." });
});

test("tells the user to sign in again when the session has ended", async () => {
  serve((response) => sendJson(response, {}, 401));
  const { kit } = createKit("c-1");
  await expect((await ask(kit, ADD)).text()).resolves.toContain("Sign in again in another tab");
});

test("keeps the status of other refused requests", async () => {
  serve((response) => sendJson(response, problem(404, "No such conversation."), 404));
  const { kit } = createKit();
  const response = await ask(kit, { type: "threads.get_by_id", params: { thread_id: "c-9" } });
  expect(response.status).toBe(404);
  await expect(response.json()).resolves.toMatchObject({ message: "No such conversation." });
});

test("treats deleting a missing conversation as done", async () => {
  serve((response) => sendJson(response, problem(404, "No such conversation."), 404));
  const { kit, onList } = createKit();
  const response = await ask(kit, { type: "threads.delete", params: { thread_id: "c-9" } });
  expect(response.status).toBe(200);
  expect(onList).toHaveBeenCalledTimes(1);
});

test.each(["threads.update", "threads.delete"])("reports %s when it is done", async (type) => {
  const { kit, onList } = createKit();
  serve((response) => sendJson(response, problem(503, "Later."), 503));
  await ask(kit, { type, params: { thread_id: "c-1" } });
  expect(onList).not.toHaveBeenCalled();
  serve((response) => sendJson(response, {}));
  await ask(kit, { type, params: { thread_id: "c-1" } });
  expect(onList).toHaveBeenCalledTimes(1);
});
