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
  refuseAsBusy,
} from "@/testing/chat";

const chat = new ChatTest();
const { server } = chat;
// The page polls every one to two seconds, and less often while the server is away.
const PATIENCE = { timeout: 8_000 };
jest.setTimeout(15_000);

beforeAll(() => chat.start());
afterAll(() => chat.stop());

test("after a lost stream, the messages are polled until the turn has ended", async () => {
  let reads = 0;
  chat.serve(
    (response) => {
      openStream(response)("turn.created", CREATED);
      setTimeout(() => response.destroy(), 20);
    },
    () => {
      reads += 1;
      const change =
        reads < 2 ? { status: "in_progress", content: "Hel" } : { content: "Hello Ada." };
      return [question(), answer(change)];
    },
  );
  const { controller, shown } = chat.open();
  await controller.send("Hi");
  expect(reads).toBe(2);
  expect(shown()).toEqual([
    ["user", "completed", "Hi"],
    ["assistant", "completed", "Hello Ada."],
  ]);
  expect(chat.turns()).toHaveLength(1);
});

test("a conversation opened during a turn is polled until the turn has ended", async () => {
  let reads = 0;
  chat.serve(
    () => {},
    () => {
      reads += 1;
      return [
        question(),
        answer(
          reads < 3
            ? { status: "in_progress", content: "Hel".slice(0, reads) }
            : { content: "Hello." },
        ),
      ];
    },
  );
  const { shown, state } = chat.open("c-1");
  expect(state().view).toBe("loading");
  await waitFor(() => expect(shown()[1]).toEqual(["assistant", "in_progress", "H"]));
  await waitFor(() => expect(shown()[1]).toEqual(["assistant", "completed", "Hello."]), {
    timeout: 8_000,
  });
});

test("while the server is away, the text stays and the page keeps polling", async () => {
  let reads = 0;
  chat.server.answer((response, { method }) => {
    if (method === "POST") {
      const send = openStream(response);
      send("turn.created", CREATED);
      send("turn.output_text.delta", { delta: "Hello A" });
      return void setTimeout(() => response.destroy(), 50);
    }
    reads += 1;
    if (reads === 1) return void response.destroy();
    const status = reads === 2 ? "in_progress" : "interrupted";
    sendJson(response, page(question(), answer({ status, content: "Hello" })));
  });
  const { controller, shown, state } = chat.open();
  void controller.send("Hi");
  await waitFor(() => expect(state().connection).toBe("checking"));
  await waitFor(() => expect(state().connection).toBe("unreachable"), PATIENCE);
  expect(shown()[1]).toEqual(["assistant", "in_progress", "Hello A"]);
  await waitFor(() => expect(state().connection).toBe("checking"), PATIENCE);
  expect(shown()[1]).toEqual(["assistant", "in_progress", "Hello A"]);
  await waitFor(() => expect(shown()[1]![1]).toBe("interrupted"), PATIENCE);
  expect(shown()[1]![2]).toBe("Hello A");
  expect(state()).toMatchObject({ connection: "good", problem: null });
});

test("a message that arrived although its connection was lost is shown once", async () => {
  const stored: object[] = [question({ id: "u-0", content: "Hi" }), answer({ id: "a-0" })];
  chat.serve(
    (response) => {
      stored.push(question(), answer({ content: "Hello." }));
      response.destroy();
    },
    () => stored,
  );
  const { controller, shown } = chat.open("c-1");
  await waitFor(() => expect(shown()).toHaveLength(2));
  await controller.send("Hi");
  expect(shown().slice(2)).toEqual([
    ["user", "completed", "Hi"],
    ["assistant", "completed", "Hello."],
  ]);
});

test("a lost message whose turn is in progress is shown once, before and after its retry", async () => {
  let stored: object[] = [];
  chat.serve(
    (response) => {
      if (chat.turns().length === 1) return response.destroy();
      stored = [question(), answer({ status: "in_progress", content: "Hel" })];
      refuseAsBusy(response);
    },
    () => stored,
  );
  const { controller, shown, state } = chat.open("c-1");
  await waitFor(() => expect(state().view).toBe("ready"));
  await controller.send("Hi");
  expect(shown()).toEqual([["user", "lost", "Hi"]]);
  void controller.retry(state().messages[0]!.id);
  await waitFor(() =>
    expect(shown()).toEqual([
      ["user", "completed", "Hi"],
      ["assistant", "in_progress", "Hel"],
    ]),
  );
  stored = [question(), answer({ content: "Hello." })];
  await waitFor(() => expect(shown()[1]![1]).toBe("completed"), PATIENCE);
  expect(shown()).toHaveLength(2);
  expect(new Set(chat.keys()).size).toBe(1);
});

test("a lost first message is repeated with its key until its answer arrives", async () => {
  chat.serve((response) => {
    if (chat.turns().length === 1) return response.destroy();
    if (chat.turns().length === 2) return refuseAsBusy(response);
    answerWith(response);
  });
  const { controller, shown, state } = chat.open();
  await controller.send("Hi");
  expect(shown()).toEqual([["user", "lost", "Hi"]]);
  await controller.retry(state().messages[0]!.id);
  expect(shown()).toEqual([
    ["user", "completed", "Hi"],
    ["assistant", "completed", "Hello Ada."],
  ]);
  expect(chat.keys()).toHaveLength(3);
  expect(new Set(chat.keys()).size).toBe(1);
});

/** Sends "Me too" while a turn of another tab is in progress, which `finish` ends. */
async function openBusy() {
  let isInProgress = true;
  let stored: object[] = [];
  chat.serve(
    (response) => {
      if (!isInProgress) {
        return answerWith(
          response,
          { user_message_id: "u-2", message_id: "a-2" },
          { message_id: "a-2" },
        );
      }
      stored = [question(), answer({ status: "in_progress", content: "Hel" })];
      refuseAsBusy(response);
    },
    () => stored,
  );
  const opened = chat.open("c-1");
  await waitFor(() => expect(opened.state().view).toBe("ready"));
  void opened.controller.send("Me too");
  await waitFor(() =>
    expect(opened.shown()).toEqual([
      ["user", "completed", "Hi"],
      ["assistant", "in_progress", "Hel"],
      ["user", "held", "Me too"],
    ]),
  );
  const finish = () => {
    isInProgress = false;
    stored = [question(), answer({ content: "Hello." })];
  };
  return { ...opened, finish };
}

test("a message sent during a turn of another tab is held, and can be sent afterwards", async () => {
  const { controller, shown, state, finish } = await openBusy();
  finish();
  await waitFor(() => expect(shown()[1]).toEqual(["assistant", "completed", "Hello."]), PATIENCE);
  expect(shown()[2]).toEqual(["user", "held", "Me too"]);
  await controller.retry(state().messages[2]!.id);
  expect(shown().slice(2)).toEqual([
    ["user", "completed", "Me too"],
    ["assistant", "completed", "Hello Ada."],
  ]);
});

test("a queued message is sent when the turn has ended", async () => {
  const { controller, shown, state, finish } = await openBusy();
  await controller.retry(state().messages[2]!.id);
  expect(shown()[2]).toEqual(["user", "queued", "Me too"]);
  finish();
  await waitFor(
    () =>
      expect(shown().slice(2)).toEqual([
        ["user", "completed", "Me too"],
        ["assistant", "completed", "Hello Ada."],
      ]),
    PATIENCE,
  );
});

test.each([
  [404, { view: "missing" }],
  [401, { view: "ready", isSignedOut: true }],
  [503, { view: "ready", problem: null }],
])("refreshing a conversation that answers %i shows the error", async (status, expected) => {
  let isGone = false;
  server.answer((response) =>
    isGone
      ? sendJson(response, problem(status, "No."), status)
      : sendJson(response, page(question(), answer())),
  );
  const { controller, state } = chat.open("c-1");
  await waitFor(() => expect(state().view).toBe("ready"));
  isGone = true;
  await controller.refresh();
  expect(state()).toMatchObject(expected);
});

test("a conversation that could not be loaded is shown when the server is back", async () => {
  chat.server.answer((response) => sendJson(response, problem(503, "Not now."), 503));
  const { state, shown } = chat.open("c-1");
  await waitFor(() => expect(state()).toMatchObject({ view: "unavailable", problem: "Not now." }));
  chat.serve(
    () => {},
    () => [question(), answer({ content: "Hello." })],
  );
  await waitFor(() => expect(state()).toMatchObject({ view: "ready", problem: null }), PATIENCE);
  expect(shown()).toHaveLength(2);
});

test("stopping a turn of another tab shows its text so far", async () => {
  let status = "in_progress";
  server.answer((response, { path }) => {
    if (path.endsWith("/cancel")) {
      status = "cancelled";
      return sendJson(response, answer({ status, content: "Hel" }));
    }
    sendJson(response, page(question(), answer({ status, content: "Hel" })));
  });
  const { controller, shown, state } = chat.open("c-1");
  await waitFor(() => expect(shown()[1]).toEqual(["assistant", "in_progress", "Hel"]));
  await controller.stop();
  expect(shown()[1]).toEqual(["assistant", "cancelled", "Hel"]);
  await waitFor(() => expect(state().isStopping).toBe(false));
});
