import { waitFor } from "@testing-library/dom";
import { openStream, sendJson } from "@/testing/apiServer";
import {
  answer,
  answerWith,
  ChatTest,
  CREATED,
  page,
  problem,
  question,
  REPLY,
} from "@/testing/chat";

const chat = new ChatTest();
const { server } = chat;

beforeAll(() => chat.start());
afterAll(() => chat.stop());

test("a first message creates a conversation, and its answer grows", async () => {
  let finish = () => {};
  chat.serve((response) => {
    const send = openStream(response);
    send("turn.created", CREATED);
    send("turn.output_text.delta", { delta: "Hello " });
    send("turn.output_text.delta", { delta: "A" });
    finish = () => (send("turn.completed", REPLY), response.end());
  });
  const { controller, shown, onChange, state } = chat.open();
  void controller.send("Hi");
  expect(shown()).toEqual([["user", "sending", "Hi"]]);
  await waitFor(() =>
    expect(shown()).toEqual([
      ["user", "completed", "Hi"],
      ["assistant", "in_progress", "Hello A"],
    ]),
  );
  expect(onChange).toHaveBeenCalledWith("c-1");
  finish();
  await waitFor(() => expect(shown()[1]).toEqual(["assistant", "completed", "Hello Ada."]));
  expect(state().announcement).toBe("Hello Ada.");
  expect(onChange).toHaveBeenCalledTimes(2);
});

test("a second message goes to the same conversation", async () => {
  chat.serve((response) => {
    const count = chat.turns().length;
    answerWith(response, { user_message_id: `u-${count}`, message_id: `a-${count}` });
  });
  const { controller } = chat.open();
  await controller.send("one");
  await controller.send("two");
  expect(chat.turns().map(({ body }) => body)).toEqual([
    { message: "one" },
    { message: "two", conversation_id: "c-1" },
  ]);
});

test("an error keeps the text, and a retry repeats the body and the key", async () => {
  chat.serve((response) => {
    if (chat.turns().length > 1) return answerWith(response);
    sendJson(response, { message: "Service Unavailable" }, 503);
  });
  const { controller, state, shown } = chat.open();
  await controller.send("Hi");
  expect(shown()).toEqual([["user", "lost", "Hi"]]);
  expect(state().messages[0]!.error).toBe("Service Unavailable");

  await controller.retry(state().messages[0]!.id);
  expect(shown()).toEqual([
    ["user", "completed", "Hi"],
    ["assistant", "completed", "Hello Ada."],
  ]);
  const [first, second] = chat.turns();
  expect(second!.body).toEqual(first!.body);
  expect(new Set(chat.keys()).size).toBe(1);
});

test.each([
  ["not kept", ""],
  ["kept in part", "The recipe"],
])(
  "a refused answer's text is gone at once, and shown again as far as it is stored: %s",
  async (_, kept) => {
    const error = problem(422, "Not that, please.", "/problems/content-refused");
    let refuse = () => {};
    let read = () => {};
    server.answer((response, { method }) => {
      const stored = [question(), answer({ status: "failed", content: kept, error })];
      if (method === "GET") return void (read = () => sendJson(response, page(...stored)));
      const send = openStream(response);
      send("turn.created", CREATED);
      send("turn.output_text.delta", { delta: "The recipe is" });
      refuse = () => (
        send("turn.output_text.delta", { delta: " secret." }),
        send("turn.failed", error),
        response.end()
      );
    });
    const { controller, state, shown } = chat.open();
    void controller.send("Hi");
    await waitFor(() => expect(shown()[1]?.[2]).toBe("The recipe is"));
    refuse();
    await waitFor(() => expect(shown()[1]).toEqual(["assistant", "failed", ""]));
    expect(state().messages[1]!.error).toBe("Not that, please.");
    expect(state().announcement).toBe("");
    await waitFor(() => expect(server.received.at(-1)!.method).toBe("GET"));
    read();
    await waitFor(() => expect(shown()[1]).toEqual(["assistant", "failed", kept]));
  },
);

test("the text of an answer that failed otherwise stays", async () => {
  chat.serve((response) => {
    const send = openStream(response);
    send("turn.created", CREATED);
    send("turn.output_text.delta", { delta: "Half an ans" });
    send("turn.failed", problem(502, "Broken.", "/problems/model-failed"));
    response.end();
  });
  const { controller, shown } = chat.open();
  await controller.send("Hi");
  expect(shown()[1]).toEqual(["assistant", "failed", "Half an ans"]);
});

test("an unsent message can be withdrawn", async () => {
  chat.serve((response) => sendJson(response, problem(422, "Too odd."), 422));
  const { controller, state } = chat.open();
  await controller.send("Hi");
  controller.withdraw(state().messages[0]!.id);
  expect(state().messages).toEqual([]);
});

test("stopping cancels the turn at the server", async () => {
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
  const { controller, state, shown } = chat.open();
  void controller.send("Hi");
  await waitFor(() => expect(shown()[1]?.[2]).toBe("Hel"));
  await controller.stop();
  await waitFor(() => expect(shown()[1]).toEqual(["assistant", "cancelled", "Hel"]));
  expect(state().isStopping).toBe(false);
  expect(server.received.at(-1)!.path).toBe("/api/ada/conversations/c-1/messages/a-1/cancel");
});

test("a failed stop is reported, and the answer continues", async () => {
  server.answer((response, { path }) => {
    if (path.endsWith("/cancel")) return sendJson(response, problem(503, "Not now."), 503);
    openStream(response)("turn.created", CREATED);
  });
  const { controller, state, shown } = chat.open();
  void controller.send("Hi");
  await waitFor(() => expect(shown()).toHaveLength(2));
  await controller.stop();
  expect(state()).toMatchObject({ problem: "Not now.", isStopping: false });
});

test.each([
  [403, "forbidden"],
  [404, "missing"],
  [422, "missing"],
  [503, "unavailable"],
  [401, "signed-out"],
])("a conversation that answers %i is shown as %s", async (status, view) => {
  server.answer((response) => sendJson(response, problem(status, "No."), status));
  const { state } = chat.open("c-1");
  await waitFor(() => expect(state().view).toBe(view));
});

test("earlier messages are added above", async () => {
  const early = { ...question(), id: "u-0", content: "Earlier" };
  server.answer((response, { path }) =>
    sendJson(
      response,
      path.includes("before=p2")
        ? page(early)
        : { data: [question(), answer({ content: "Hello." })], has_more: true, next_cursor: "p2" },
    ),
  );
  const { controller, state } = chat.open("c-1");
  await waitFor(() => expect(state().hasEarlier).toBe(true));
  await controller.loader.loadEarlier();
  expect(state().messages.map(({ id }) => id)).toEqual(["u-0", "u-1", "a-1"]);
  expect(state().hasEarlier).toBe(false);
});
