import { act, renderHook, waitFor } from "@testing-library/react";
import type { ServerResponse } from "node:http";
import { AccessToken } from "@/services/access_token";
import { ChatApi } from "@/services/chat_api";
import { ApiServer, makeToken, openStream, sendJson, type Received } from "@/testing/apiServer";
import { useChat } from "./useChat";

const server = new ApiServer();
let api: ChatApi;

beforeAll(async () => {
  api = new ChatApi(
    await server.start(),
    "ada",
    new AccessToken("ada", async () => makeToken("ada")),
  );
});
afterAll(() => server.stop());

const CREATED = { conversation_id: "c-1", message_id: "a-1", user_message_id: "u-1" };
const REPLY = {
  conversation_id: "c-1",
  message_id: "a-1",
  response: "Hello Ada.",
  status: "completed",
  tool_calls: [],
};
const QUESTION = {
  id: "u-1",
  role: "user",
  status: "completed",
  content: "Hi",
  tool_calls: [],
  error: null,
};
const answer = (change: object) => ({
  id: "a-1",
  role: "assistant",
  status: "completed",
  content: "",
  tool_calls: [],
  error: null,
  ...change,
});
const page = (...data: object[]) => ({ data, has_more: false, next_cursor: null });
const problem = (status: number, detail: string) => ({
  type: "/problems/x",
  title: "x",
  status,
  detail,
});

function chat(conversationId: string | null = null) {
  const onChange = jest.fn();
  const { result, unmount } = renderHook(() => useChat(api, conversationId, onChange));
  return {
    onChange,
    unmount,
    store: () => result.current.store,
    state: () => result.current.state,
    shown: () =>
      result.current.state.messages.map(({ role, status, content }) => [role, status, content]),
  };
}

/** Answers turns with `turn` and everything else with the messages that `messages` returns. */
function serve(
  turn: (response: ServerResponse, request: Received) => void,
  messages: () => object[] = () => [],
) {
  server.answer((response, request) =>
    request.method === "POST" ? turn(response, request) : sendJson(response, page(...messages())),
  );
}

const turns = () => server.received.filter(({ path }) => path.endsWith("/chat"));

test("a first message begins a conversation, and its answer grows", async () => {
  let finish = () => {};
  serve((response) => {
    const send = openStream(response);
    send("turn.created", CREATED);
    send("turn.output_text.delta", { delta: "Hello " });
    send("turn.output_text.delta", { delta: "A" });
    finish = () => (send("turn.completed", REPLY), response.end());
  });
  const { store, shown, onChange, state } = chat();
  act(() => void store().send("Hi"));
  expect(shown()).toEqual([["user", "sending", "Hi"]]);
  await waitFor(() =>
    expect(shown()).toEqual([
      ["user", "completed", "Hi"],
      ["assistant", "in_progress", "Hello A"],
    ]),
  );
  expect(onChange).toHaveBeenCalledWith("c-1");
  act(finish);
  await waitFor(() => expect(shown()[1]).toEqual(["assistant", "completed", "Hello Ada."]));
  expect(state().announcement).toBe("Hello Ada.");
  expect(onChange).toHaveBeenCalledTimes(2);
});

test("a second message goes to the same conversation", async () => {
  serve((response) => {
    const send = openStream(response);
    send("turn.created", {
      ...CREATED,
      user_message_id: `u-${turns().length}`,
      message_id: `a-${turns().length}`,
    });
    send("turn.completed", REPLY);
    response.end();
  });
  const { store } = chat();
  await act(() => store().send("one"));
  await act(() => store().send("two"));
  expect(turns().map(({ body }) => body)).toEqual([
    { message: "one" },
    { message: "two", conversation_id: "c-1" },
  ]);
});

test("an error keeps the text, and a retry repeats body and key", async () => {
  serve((response) => {
    if (turns().length === 1) return sendJson(response, { message: "Service Unavailable" }, 503);
    const send = openStream(response);
    send("turn.created", CREATED);
    send("turn.completed", REPLY);
    response.end();
  });
  const { store, state, shown } = chat();
  await act(() => store().send("Hi"));
  expect(shown()).toEqual([["user", "unsent", "Hi"]]);
  expect(state().messages[0]!.error).toBe("Service Unavailable");

  await act(() => store().retry(state().messages[0]!.id));
  expect(shown()).toEqual([
    ["user", "completed", "Hi"],
    ["assistant", "completed", "Hello Ada."],
  ]);
  const [first, second] = turns();
  expect(second!.body).toEqual(first!.body);
  expect(second!.headers["idempotency-key"]).toBe(first!.headers["idempotency-key"]);
});

test("a message that could not be sent can be taken back", async () => {
  serve((response) => sendJson(response, problem(422, "Too odd."), 422));
  const { store, state } = chat();
  await act(() => store().send("Hi"));
  act(() => store().withdraw(state().messages[0]!.id));
  expect(state().messages).toEqual([]);
});

test("a failed turn shows why, and is run again in place under its key", async () => {
  serve((response) => {
    const send = openStream(response);
    send("turn.created", CREATED);
    if (turns().length > 1) send("turn.completed", REPLY);
    else {
      send("turn.output_text.delta", { delta: "Hel" });
      send("turn.failed", problem(502, "The model is away."));
    }
    response.end();
  });
  const { store, state, shown } = chat();
  await act(() => store().send("Hi"));
  expect(shown()[1]).toEqual(["assistant", "failed", "Hel"]);
  expect(state().messages[1]!.error).toBe("The model is away.");

  await act(() => store().retry("u-1"));
  expect(shown()).toEqual([
    ["user", "completed", "Hi"],
    ["assistant", "completed", "Hello Ada."],
  ]);
  expect(turns()[1]!.headers["idempotency-key"]).toBe(turns()[0]!.headers["idempotency-key"]);
});

test("after a lost stream the messages are read until the turn has ended", async () => {
  let reads = 0;
  serve(
    (response) => {
      openStream(response)("turn.created", CREATED);
      setTimeout(() => response.destroy(), 20);
    },
    () => {
      reads += 1;
      const change =
        reads < 2 ? { status: "in_progress", content: "Hel" } : { content: "Hello Ada." };
      return [QUESTION, answer(change)];
    },
  );
  const { store, shown } = chat();
  await act(() => store().send("Hi"));
  expect(reads).toBe(2);
  expect(shown()).toEqual([
    ["user", "completed", "Hi"],
    ["assistant", "completed", "Hello Ada."],
  ]);
  expect(turns()).toHaveLength(1);
});

test("a conversation opened in mid-answer is followed to its end", async () => {
  let reads = 0;
  serve(
    () => {},
    () => {
      reads += 1;
      return [
        QUESTION,
        answer(
          reads < 3
            ? { status: "in_progress", content: "Hel".slice(0, reads) }
            : { content: "Hello." },
        ),
      ];
    },
  );
  const { shown, state } = chat("c-1");
  expect(state().view).toBe("loading");
  await waitFor(() => expect(shown()[1]).toEqual(["assistant", "in_progress", "H"]));
  await waitFor(() => expect(shown()[1]).toEqual(["assistant", "completed", "Hello."]), {
    timeout: 6_000,
  });
});

test("a busy conversation shows the running answer, and keeps the message for later", async () => {
  let reads = 0;
  serve(
    (response) => sendJson(response, problem(409, "Still writing."), 409, { "Retry-After": "2" }),
    () =>
      reads++ < 1 ? [] : [QUESTION, answer({ status: reads > 2 ? "completed" : "in_progress" })],
  );
  const { store, shown, state } = chat("c-1");
  await waitFor(() => expect(state().view).toBe("ready"));
  await act(() => store().send("Me too"));
  expect(shown()).toEqual([
    ["user", "completed", "Hi"],
    ["assistant", "completed", ""],
    ["user", "unsent", "Me too"],
  ]);
  expect(state().messages[2]!.error).toBe("Still writing.");
});

test("stopping asks the server, which ends the turn", async () => {
  let end = () => {};
  server.answer((response, { path }) => {
    if (path.endsWith("/cancel")) {
      sendJson(response, {});
      return end();
    }
    const send = openStream(response);
    send("turn.created", CREATED);
    send("turn.output_text.delta", { delta: "Hel" });
    end = () => (
      send("turn.cancelled", { ...REPLY, response: "Hel", status: "cancelled" }),
      response.end()
    );
  });
  const { store, state, shown } = chat();
  act(() => void store().send("Hi"));
  await waitFor(() => expect(shown()[1]?.[2]).toBe("Hel"));
  await act(() => store().stop());
  await waitFor(() => expect(shown()[1]).toEqual(["assistant", "cancelled", "Hel"]));
  expect(state().isStopping).toBe(false);
  expect(server.received.at(-1)!.path).toBe("/api/ada/conversations/c-1/messages/a-1/cancel");
});

test("a stop that fails says so, and the answer goes on", async () => {
  server.answer((response, { path }) => {
    if (path.endsWith("/cancel")) return sendJson(response, problem(503, "Not now."), 503);
    openStream(response)("turn.created", CREATED);
  });
  const { store, state, shown, unmount } = chat();
  act(() => void store().send("Hi"));
  await waitFor(() => expect(shown()).toHaveLength(2));
  await act(() => store().stop());
  expect(state()).toMatchObject({ problem: "Not now.", isStopping: false });
  unmount();
});

test.each([
  [403, "forbidden"],
  [404, "missing"],
  [422, "missing"],
  [503, "unavailable"],
  [401, "signed-out"],
])("a conversation that answers %i is shown as %s", async (status, view) => {
  server.answer((response) => sendJson(response, problem(status, "No."), status));
  const { state } = chat("c-1");
  await waitFor(() => expect(state().view).toBe(view));
});

test("earlier messages come in above", async () => {
  const early = { ...QUESTION, id: "u-0", content: "Earlier" };
  server.answer((response, { path }) =>
    sendJson(
      response,
      path.includes("before=p2")
        ? page(early)
        : { data: [QUESTION, answer({ content: "Hello." })], has_more: true, next_cursor: "p2" },
    ),
  );
  const { store, state } = chat("c-1");
  await waitFor(() => expect(state().hasEarlier).toBe(true));
  await act(() => store().loadEarlier());
  expect(state().messages.map(({ id }) => id)).toEqual(["u-0", "u-1", "a-1"]);
  expect(state().hasEarlier).toBe(false);
});

test("leaving ends the watching: nothing is told any more", async () => {
  let send: (event: string, data: unknown) => void = () => {};
  serve((response) => {
    send = openStream(response);
    send("turn.created", CREATED);
  });
  const { store, shown, onChange, unmount } = chat();
  act(() => void store().send("Hi"));
  await waitFor(() => expect(shown()).toHaveLength(2));
  unmount();
  send("turn.completed", REPLY);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(onChange).toHaveBeenCalledTimes(1);
});
