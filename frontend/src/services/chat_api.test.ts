import type { ServerResponse } from "node:http";
import { ApiServer, makeToken, openStream, sendJson } from "@/testing/apiServer";
import { AccessToken } from "./access_token";
import { ChatApi } from "./chat_api";
import type { TurnEvent, TurnRequest } from "./types";

const server = new ApiServer();
let url: string;

beforeAll(async () => (url = await server.start()));
afterAll(() => server.stop());

function createApi(apiUrl = url, streamUrl?: string) {
  let issued = 0;
  return new ChatApi(
    { apiUrl, streamUrl },
    "ada",
    new AccessToken("ada", async () => makeToken("ada", 900, ++issued)),
  );
}

const SEND: TurnRequest = {
  kind: "send",
  message: "Hello",
  conversationId: "c-1",
  idempotencyKey: "key-1",
};

async function streamTurn(api: ChatApi, turn = SEND) {
  const events: TurnEvent[] = [];
  for await (const event of api.streamTurn(turn, new AbortController().signal)) events.push(event);
  return events;
}

const REPLY = { conversation_id: "c-1", message_id: "m-2", response: "Hi", tool_calls: [] };

test("sends the message with its key and the token, and yields the turn's events", async () => {
  server.answer((response) => {
    const send = openStream(response);
    send("turn.created", { conversation_id: "c-1", message_id: "m-2", user_message_id: "m-1" });
    response.write(": keep-alive\n\n");
    send("turn.output_text.delta", { delta: "Hi" });
    send("turn.completed", REPLY);
    response.end();
  });
  const events = await streamTurn(createApi());
  expect(events.map(({ type }) => type)).toEqual([
    "turn.created",
    "turn.output_text.delta",
    "turn.completed",
  ]);
  const [request] = server.received;
  expect(request).toMatchObject({ method: "POST", path: "/api/ada/chat" });
  expect(request!.body).toEqual({ message: "Hello", conversation_id: "c-1" });
  expect(request!.headers).toMatchObject({
    accept: "text/event-stream",
    "idempotency-key": "key-1",
    authorization: expect.stringMatching(/^Bearer .+\..+\..+/) as string,
  });
});

test.each<[TurnRequest, string, unknown]>([
  [{ ...SEND, conversationId: null }, "/api/ada/chat", { message: "Hello" }],
  [
    { ...SEND, kind: "edit", conversationId: "c-1", messageId: "m-1" },
    "/api/ada/conversations/c-1/messages/m-1/edit",
    { message: "Hello" },
  ],
  [
    { kind: "regenerate", conversationId: "c-1", messageId: "m-2", idempotencyKey: "key-1" },
    "/api/ada/conversations/c-1/messages/m-2/regenerate",
    null,
  ],
])("sends %j to its path", async (turn, path, body) => {
  server.answer((response) => {
    openStream(response);
    response.end();
  });
  await streamTurn(createApi(), turn);
  expect(server.received).toMatchObject([{ method: "POST", path, body }]);
  expect(server.received[0]!.headers["idempotency-key"]).toBe("key-1");
});

test("retries once after a 401, with a new token and the same key", async () => {
  server.answer((response) => {
    if (server.received.length === 1) return sendJson(response, {}, 401);
    openStream(response)("turn.completed", REPLY);
    response.end();
  });
  await streamTurn(createApi());
  const [first, second] = server.received;
  expect(server.received).toHaveLength(2);
  expect(second!.headers["idempotency-key"]).toBe(first!.headers["idempotency-key"]);
  expect(second!.headers.authorization).not.toBe(first!.headers.authorization);
});

test("gives up after a second 401", async () => {
  server.answer((response) => sendJson(response, {}, 401));
  await expect(streamTurn(createApi())).rejects.toMatchObject({ isSignedOut: true });
  expect(server.received).toHaveLength(2);
});

test("reports the detail of a problem, and that the conversation is busy", async () => {
  server.answer((response) =>
    sendJson(
      response,
      { type: "/problems/turn-in-progress", title: "Conflict", detail: "Still writing." },
      409,
      { "Retry-After": "2" },
    ),
  );
  await expect(streamTurn(createApi())).rejects.toMatchObject({
    message: "Still writing.",
    isBusy: true,
    isUncertain: false,
  });
});

test("reports the message of a gateway", async () => {
  server.answer((response) => sendJson(response, { message: "Service Unavailable" }, 503));
  await expect(streamTurn(createApi())).rejects.toMatchObject({ message: "Service Unavailable" });
});

test("reports an error that is not JSON", async () => {
  server.answer((response) => void response.writeHead(502).end("<html>"));
  await expect(streamTurn(createApi())).rejects.toMatchObject({
    message: expect.stringContaining("try again") as string,
    status: 502,
  });
});

test("reports that the server cannot be reached", async () => {
  const closed = new ApiServer();
  const address = await closed.start();
  await closed.stop();
  await expect(streamTurn(createApi(address))).rejects.toMatchObject({ status: 0 });
});

function answerTurn(response: ServerResponse) {
  openStream(response)("turn.completed", REPLY);
  response.end();
}

describe("with a streaming endpoint", () => {
  const streamServer = new ApiServer();
  let streamUrl: string;

  beforeAll(async () => (streamUrl = await streamServer.start()));
  afterAll(() => streamServer.stop());
  beforeEach(() => server.answer(answerTurn));

  test("sends turns to it, and nothing else", async () => {
    streamServer.answer(answerTurn);
    const api = createApi(url, streamUrl);
    expect(await streamTurn(api)).toHaveLength(1);
    expect(server.received).toHaveLength(0);
    expect(streamServer.received).toMatchObject([{ method: "POST", path: "/api/ada/chat" }]);
    server.answer((response) => sendJson(response, { data: [], has_more: false }));
    await api.listConversations();
    expect(server.received).toHaveLength(1);
    expect(streamServer.received).toHaveLength(1);
  });

  test.each([
    ["crashes", 502, { message: "Internal Server Error" }],
    ["is throttled", 429, { Reason: "ConcurrentInvocationLimitExceeded" }],
    ["refuses all requests", 403, { Message: "Forbidden" }],
  ])("falls back to the API address with the same key if it %s", async (_, status, body) => {
    streamServer.answer((response) => sendJson(response, body, status));
    expect(await streamTurn(createApi(url, streamUrl))).toHaveLength(1);
    expect(server.received[0]!.headers["idempotency-key"]).toBe("key-1");
    expect(streamServer.received[0]!.headers["idempotency-key"]).toBe("key-1");
  });

  test("falls back to the API address if it cannot be reached", async () => {
    const closed = new ApiServer();
    const address = await closed.start();
    await closed.stop();
    expect(await streamTurn(createApi(url, address))).toHaveLength(1);
  });

  test("does not repeat a request that the API itself refused", async () => {
    streamServer.answer((response) =>
      sendJson(response, { type: "/problems/too-many-turns", detail: "Wait." }, 429),
    );
    await expect(streamTurn(createApi(url, streamUrl))).rejects.toMatchObject({
      message: "Wait.",
    });
    expect(server.received).toHaveLength(0);
  });
});

test("says by the user's clock when a used-up quota is fresh", async () => {
  const quota = { type: "/problems/quota-exceeded", title: "Used up", detail: "At midnight UTC." };
  server.answer((response) => sendJson(response, quota, 429, { "Retry-After": "3600" }));
  await expect(streamTurn(createApi())).rejects.toMatchObject({
    message: expect.stringMatching(/^Used up\. You can go on at \d\d:\d\d/) as string,
  });
  server.answer((response) => sendJson(response, quota, 429));
  await expect(streamTurn(createApi())).rejects.toMatchObject({ message: "At midnight UTC." });
});

test("ends without a final event if the stream breaks", async () => {
  server.answer((response) => {
    const send = openStream(response);
    send("turn.created", { conversation_id: "c-1", message_id: "m-2", user_message_id: "m-1" });
    setTimeout(() => response.destroy(), 20);
  });
  expect((await streamTurn(createApi())).map(({ type }) => type)).toEqual(["turn.created"]);
});

test("escapes ids in paths", async () => {
  server.answer((response) => sendJson(response, { data: [], has_more: false }));
  await createApi().listMessages("../x?y", { before: "a&b" });
  expect(server.received[0]!.path).toBe(
    "/api/ada/conversations/..%2Fx%3Fy/messages?limit=50&before=a%26b",
  );
});
