import { waitFor } from "@testing-library/dom";
import { sendJson } from "@/testing/apiServer";
import {
  answer,
  answerWith,
  ChatTest,
  page,
  problem,
  question,
  refuseAsBusy,
} from "@/testing/chat";

const chat = new ChatTest();

beforeAll(() => chat.start());
afterAll(() => chat.stop());

const STORED = [
  question({ id: "u-1", content: "First" }),
  answer({ id: "a-1", content: "One" }),
  question({ id: "u-2", content: "Second" }),
  answer({ id: "a-2", content: "Two" }),
];
const BEFORE = [
  ["user", "completed", "First"],
  ["assistant", "completed", "One"],
  ["user", "completed", "Second"],
  ["assistant", "completed", "Two"],
];

async function openStored() {
  const opened = chat.open("c-1");
  await waitFor(() => expect(opened.shown()).toEqual(BEFORE));
  return opened;
}

test("regenerating replaces the answer and all later messages with a new version", async () => {
  chat.serve(
    (response) =>
      answerWith(
        response,
        { user_message_id: "u-1", message_id: "a-3" },
        { message_id: "a-3", response: "Another" },
      ),
    () => STORED,
  );
  const { controller, shown, state } = await openStored();
  await controller.regenerate("a-1");
  expect(shown()).toEqual([
    ["user", "completed", "First"],
    ["assistant", "completed", "Another"],
  ]);
  expect(state().messages[1]).toMatchObject({ id: "a-3", version: 2, versionCount: 2 });
  expect(chat.turns()[0]!.path).toBe("/api/ada/conversations/c-1/messages/a-1/regenerate");
});

test("a refused regeneration changes nothing, and its retry repeats the key", async () => {
  chat.serve(
    (response) => sendJson(response, problem(503, "Too many."), 503),
    () => STORED,
  );
  const { controller, shown, state } = await openStored();
  await controller.regenerate("a-2");
  expect(shown()).toEqual(BEFORE);
  expect(state().problem).toBe("Too many.");
  await controller.regenerate("a-2");
  await controller.regenerate("a-1");
  const [first, second, other] = chat.keys();
  expect(second).toBe(first);
  expect(other).not.toBe(first);
});

test.each(["failed", "interrupted", "cancelled"])(
  "retrying a %s answer regenerates it, also after a reload",
  async (status) => {
    chat.serve(
      (response) =>
        answerWith(response, { message_id: "a-9" }, { message_id: "a-9", response: "Better." }),
      () => [question(), answer({ status, content: "Hel" })],
    );
    const { controller, shown } = chat.open("c-1");
    await waitFor(() => expect(shown()[1]).toEqual(["assistant", status, "Hel"]));
    await controller.retry("a-1");
    expect(shown()).toEqual([
      ["user", "completed", "Hi"],
      ["assistant", "completed", "Better."],
    ]);
    expect(chat.turns().map(({ path }) => path)).toEqual([
      "/api/ada/conversations/c-1/messages/a-1/regenerate",
    ]);
  },
);

test("an edited question replaces the old one and all later messages", async () => {
  chat.serve(
    (response) =>
      answerWith(
        response,
        { user_message_id: "u-3", message_id: "a-3" },
        { message_id: "a-3", response: "Oh." },
      ),
    () => STORED,
  );
  const { controller, shown, state } = await openStored();
  controller.startEdit("u-1");
  expect(state().edit).toEqual({ messageId: "u-1", text: "First", error: null });
  controller.changeEdit("Rather this");
  await controller.sendEdit();
  expect(shown()).toEqual([
    ["user", "completed", "Rather this"],
    ["assistant", "completed", "Oh."],
  ]);
  expect(state().edit).toBeNull();
  expect(state().messages[0]).toMatchObject({ id: "u-3", version: 2, versionCount: 2 });
  expect(state().messages[1]).toMatchObject({ version: 1, versionCount: 1 });
  expect(chat.turns()[0]!.body).toEqual({ message: "Rather this" });
});

test("a cancelled edit changes nothing", async () => {
  chat.serve(
    () => {},
    () => STORED,
  );
  const { controller, shown, state } = await openStored();
  controller.startEdit("u-1");
  controller.changeEdit("Rather this");
  controller.cancelEdit();
  expect(state().edit).toBeNull();
  expect(shown()).toEqual(BEFORE);
  expect(chat.turns()).toEqual([]);
});

test.each([
  [403, "Not yours."],
  [429, "Enough for today."],
])("an edit refused with %i keeps its text, and its retry repeats the key", async (status, why) => {
  chat.serve(
    (response) => sendJson(response, problem(status, why), status),
    () => STORED,
  );
  const { controller, shown, state } = await openStored();
  controller.startEdit("u-2");
  controller.changeEdit("Rather this");
  await controller.sendEdit();
  expect(shown()).toEqual(BEFORE);
  expect(state().edit).toEqual({ messageId: "u-2", text: "Rather this", error: why });
  await controller.sendEdit();
  controller.changeEdit("Or this");
  await controller.sendEdit();
  const [first, second, other] = chat.keys();
  expect(second).toBe(first);
  expect(other).not.toBe(first);
});

test("an edit whose reply was lost is recognised among the stored messages", async () => {
  let stored = STORED;
  chat.serve(
    (response) => {
      stored = [
        question({ id: "u-3", content: "Rather this" }),
        answer({ id: "a-3", content: "Oh." }),
      ];
      response.destroy();
    },
    () => stored,
  );
  const { controller, shown, state } = await openStored();
  controller.startEdit("u-1");
  controller.changeEdit("Rather this");
  await controller.sendEdit();
  expect(state().edit).toBeNull();
  expect(shown()).toEqual([
    ["user", "completed", "Rather this"],
    ["assistant", "completed", "Oh."],
  ]);
});

test("the text of an edit is kept when another tab has changed the message", async () => {
  let stored = STORED;
  chat.serve(
    (response) => {
      stored = [
        question({ id: "u-3", content: "Elsewhere" }),
        answer({ id: "a-3", content: "So" }),
      ];
      sendJson(response, problem(409, "Replaced.", "/problems/message-superseded"), 409);
    },
    () => stored,
  );
  const { controller, shown, state } = await openStored();
  controller.startEdit("u-2");
  controller.changeEdit("Rather this");
  await controller.sendEdit();
  expect(shown()).toEqual([
    ["user", "completed", "Elsewhere"],
    ["assistant", "completed", "So"],
    ["user", "unsent", "Rather this"],
  ]);
  chat.serve((response) =>
    answerWith(response, { user_message_id: "u-4", message_id: "a-4" }, { message_id: "a-4" }),
  );
  await controller.retry(state().messages[2]!.id);
  expect(chat.turns()[0]).toMatchObject({
    path: "/api/ada/chat",
    body: { message: "Rather this", conversation_id: "c-1" },
  });
});

test("an edit sent during a turn of another tab is kept", async () => {
  chat.serve(refuseAsBusy, () => STORED);
  const { controller, state } = await openStored();
  controller.startEdit("u-2");
  controller.changeEdit("Rather this");
  await controller.sendEdit();
  expect(state().edit).toMatchObject({ text: "Rather this" });
  expect(state().edit!.error).toContain("another tab");
});

test("lists the versions of a message, page by page", async () => {
  chat.server.answer((response, { path }) => {
    const old = { data: [answer({ id: "a-0", content: "Old" })], next_cursor: null };
    const versions = { data: [answer({ content: "New" })], next_cursor: "older" };
    const shown = page(question(), answer({ content: "New", version: 2, version_count: 2 }));
    if (path.includes("before=older")) sendJson(response, old);
    else sendJson(response, path.includes("/versions") ? versions : shown);
  });
  const { controller, state } = chat.open("c-1");
  await waitFor(() => expect(state().messages).toHaveLength(2));
  const versions = await controller.loader.listVersions("a-1");
  expect(versions.map(({ content }) => content)).toEqual(["Old", "New"]);
  expect(chat.server.received.at(-1)!.path).toBe(
    "/api/ada/conversations/c-1/messages/a-1/versions?before=older",
  );
});
