import { waitFor } from "@testing-library/dom";
import type { ServerResponse } from "node:http";
import { sendJson } from "@/testing/apiServer";
import { answer, ChatTest, problem, question } from "@/testing/chat";
import type { ChatController } from "./chatController";
import type { ChatState } from "./chatState";

const chat = new ChatTest();

beforeAll(() => chat.start());
afterAll(() => chat.stop());
afterEach(() => jest.restoreAllMocks());

const FAILURES: Record<string, (response: ServerResponse) => void> = {
  "no response": (response) => void response.destroy(),
  "a page of somebody else": (response) =>
    void response
      .writeHead(200, { "Content-Type": "text/html" })
      .end("<h1>Welcome to our Wi-Fi</h1>"),
  "a body that breaks off": (response) => {
    response.writeHead(200, { "Content-Type": "application/json", "Content-Length": 999 });
    response.write('{"data": [');
    setTimeout(() => response.destroy(), 10);
  },
  "an error page": (response) => void response.writeHead(502).end("<h1>Bad gateway</h1>"),
  "a problem": (response) => sendJson(response, problem(503, "Not now."), 503),
  "a session that has ended": (response) => sendJson(response, problem(401, "Who?"), 401),
};

const ACTS: Record<string, (controller: ChatController) => Promise<unknown>> = {
  send: ({ send }) => send("More"),
  regenerate: ({ regenerate }) => regenerate("a-2"),
  retry: ({ retry }) => retry("a-2"),
  edit: (controller) => {
    controller.startEdit("u-1");
    return controller.sendEdit();
  },
  decide: ({ decide }) => decide("a-2", true),
  "read earlier messages": ({ loader }) => loader.loadEarlier(),
  "read the versions": ({ loader }) => loader.listVersions("a-1"),
};

/** Everything that tells the user of a failure. */
const shownFailures = ({ problem: failure, edit, messages, view }: ChatState) => [
  ...[failure, edit?.error].filter((text) => text),
  ...messages.filter(({ id, error }) => id !== "a-2" && error).map(({ error }) => error),
  ...(view === "ready" ? [] : [view]),
];

const stored = [
  question(),
  answer({ content: "Hello." }),
  answer({ id: "a-2", status: "waiting_approval" }),
];

async function openedThatFails(fail: (response: ServerResponse) => void) {
  let isFailing = false;
  chat.server.answer((response) => {
    if (isFailing) fail(response);
    else sendJson(response, { data: stored, has_more: true, next_cursor: "p2" });
  });
  const opened = chat.open("c-1");
  await waitFor(() => expect(opened.state().view).toBe("ready"));
  isFailing = true;
  return opened;
}

const cases = Object.keys(ACTS).flatMap((act) =>
  Object.keys(FAILURES).map((failure) => [act, failure]),
);

test.each(cases)("%s: %s is shown to the user, and is no defect", async (act, failure) => {
  const defects = jest.spyOn(console, "error");
  const { controller, state } = await openedThatFails(FAILURES[failure!]!);
  expect(shownFailures(state())).toEqual([]);
  await ACTS[act!]!(controller);
  expect(shownFailures(state())).not.toEqual([]);
  expect(state()).toMatchObject({ pendingId: null, isStopping: false });
  expect(defects).not.toHaveBeenCalled();
});

test.each(Object.keys(FAILURES))("opening: %s is shown to the user", async (failure) => {
  const defects = jest.spyOn(console, "error");
  chat.server.answer(FAILURES[failure]!);
  const { state, controller } = chat.open("c-1");
  await waitFor(() => expect(["unavailable", "signed-out"]).toContain(state().view));
  controller.close();
  expect(defects).not.toHaveBeenCalled();
});

test("a defect is shown to the user, and reported to the developer", async () => {
  const defects = jest.spyOn(console, "error").mockImplementation();
  const { controller, state } = chat.open();
  const defect = new TypeError("x is undefined");
  controller.watch(Promise.reject(defect));
  await waitFor(() => expect(state().problem).toBe("Something went wrong. Please try again."));
  expect(defects.mock.calls).toEqual([[defect]]);
});
