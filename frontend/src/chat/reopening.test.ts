import { waitFor } from "@testing-library/dom";
import type { ServerResponse } from "node:http";
import { openStream, sendJson } from "@/testing/apiServer";
import { answer, ChatTest, CREATED, page, question, REPLY } from "@/testing/chat";

const chat = new ChatTest();

beforeAll(() => chat.start());
afterAll(() => chat.stop());

const HELLO = [
  ["user", "completed", "Hi"],
  ["assistant", "completed", "Hello Ada."],
];
const read = (response: ServerResponse, status = "completed") =>
  sendJson(response, page(question(), answer({ status, content: "Hello Ada." })));

/** In development React closes what it has opened, and opens it again. */
function reopen({ controller }: ReturnType<ChatTest["open"]>) {
  controller.close();
  controller.open();
}

test("a conversation that is opened twice is read once", async () => {
  chat.server.answer((response) => read(response));
  const opened = chat.open("c-1");
  reopen(opened);
  await waitFor(() => expect(opened.shown()).toEqual(HELLO));
  reopen(opened);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(chat.server.received).toHaveLength(1);
  expect(opened.onChange).toHaveBeenCalledTimes(1);
});

test("opened again while the server is away, it is read when the server is back", async () => {
  chat.server.answer((response) => {
    if (chat.server.received.length === 1) response.destroy();
    else read(response);
  });
  const opened = chat.open("c-1");
  await waitFor(() => expect(opened.state().view).toBe("unavailable"));
  reopen(opened);
  await waitFor(() => expect(opened.shown()).toEqual(HELLO), { timeout: 5_000 });
});

test("opened again while an answer of another tab grows, it follows the answer", async () => {
  let status = "in_progress";
  chat.server.answer((response) => read(response, status));
  const opened = chat.open("c-1");
  await waitFor(() => expect(opened.shown()).toHaveLength(2));
  reopen(opened);
  status = "completed";
  await waitFor(() => expect(opened.shown()).toEqual(HELLO), { timeout: 5_000 });
});

test.each(["before", "after"])("opened again %s a turn starts, it shows its end", async (when) => {
  let respond = () => {};
  chat.serve((response) => {
    const send = openStream(response);
    if (when === "after") send("turn.created", CREATED);
    respond = () => {
      if (when === "before") send("turn.created", CREATED);
      send("turn.completed", REPLY);
      response.end();
    };
  });
  const opened = chat.open();
  void opened.controller.send("Hi");
  await waitFor(() => expect(chat.turns()).toHaveLength(1));
  if (when === "after") await waitFor(() => expect(opened.shown()).toHaveLength(2));
  reopen(opened);
  await new Promise((resolve) => setTimeout(resolve, 50));
  respond();
  await waitFor(() => expect(opened.shown()).toEqual(HELLO));
  expect(opened.state().pendingId).toBeNull();
});
