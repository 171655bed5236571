import { act, waitFor } from "@testing-library/react";
import type { ServerResponse } from "node:http";
import { sendJson } from "@/testing/apiServer";
import { answer, ChatTest, page, problem, question } from "@/testing/chat";
import { ratingOf } from "./ratings";

const FEEDBACK = "/api/ada/conversations/c-1/messages/a-1/feedback";
const chat = new ChatTest();

beforeAll(() => chat.start());
afterAll(() => chat.stop());

const rated = (rating: string | null) =>
  answer({ content: "Hello.", feedback: rating && { rating, comment: null } });

/** A conversation whose answer is stored with `rating`; `respond` answers what is asked about it. */
async function openRated(
  rating: string | null,
  respond: (response: ServerResponse) => unknown = accept,
) {
  chat.server.answer((response, { method }) => {
    if (method === "GET") sendJson(response, page(question(), rated(rating)));
    else respond(response);
  });
  const opened = chat.open("c-1");
  await waitFor(() => expect(opened.state().messages).toHaveLength(2));
  const shownRating = () => ratingOf(opened.state().messages[1]!, opened.state().ratings);
  return { ...opened, shownRating };
}

const accept = (response: ServerResponse) => sendJson(response, {});

/** What was asked of the server to change, in the order of its arrival. */
const changes = () =>
  chat.server.received
    .filter(({ path }) => path === FEEDBACK)
    .map(({ method, body }) => [method, body]);

/** A server that keeps every change waiting until it is told how to answer it. */
function holding() {
  const held: ServerResponse[] = [];
  const next = () => waitFor(() => expect(held).not.toEqual([])).then(() => held.shift()!);
  return { next, hold: (response: ServerResponse) => held.push(response) };
}

test.each(["up", "down"] as const)("the stored rating %s is shown", async (rating) => {
  const { shownRating } = await openRated(rating);
  expect(shownRating()).toBe(rating);
});

test("a rating is shown at once, before the server has it", async () => {
  const { next, hold } = holding();
  const { store, state, shownRating } = await openRated(null, hold);
  let isDone = Promise.resolve();
  act(() => void (isDone = store().ratings.toggle("a-1", "up")));
  expect(shownRating()).toBe("up");
  expect(state().messages[1]!.rating).toBeNull();

  const response = await next();
  await act(async () => {
    sendJson(response, {});
    await isDone;
  });
  expect(shownRating()).toBe("up");
  expect(state().messages[1]!.rating).toBe("up");
  expect(changes()).toEqual([["PUT", { rating: "up" }]]);
});

test("the other rating takes the place of the one before", async () => {
  const { store, shownRating } = await openRated("up");
  await act(() => store().ratings.toggle("a-1", "down"));
  expect(shownRating()).toBe("down");
  expect(changes()).toEqual([["PUT", { rating: "down" }]]);
});

test("the same rating once more removes it", async () => {
  const { store, shownRating } = await openRated("up", (response) => response.writeHead(204).end());
  await act(() => store().ratings.toggle("a-1", "up"));
  expect(shownRating()).toBeNull();
  expect(changes()).toEqual([["DELETE", null]]);
});

test.each([
  [null, "up", "PUT"],
  ["up", "up", "DELETE"],
  ["down", "up", "PUT"],
] as const)(
  "from %s, %s that cannot be stored by %s is taken back, with a notice",
  async (before, pressed, method) => {
    const { store, state, shownRating } = await openRated(before, (response) =>
      sendJson(response, problem(503, "Not now."), 503),
    );
    await act(() => store().ratings.toggle("a-1", pressed));
    expect(shownRating()).toBe(before);
    expect(state().problem).toBe("Not now.");
    expect(changes().map(([asked]) => asked)).toEqual([method]);
  },
);

test("the notice goes with the next attempt", async () => {
  let isBroken = true;
  const { store, state, shownRating } = await openRated(null, (response) => {
    if (isBroken) response.destroy();
    else sendJson(response, {});
  });
  await act(() => store().ratings.toggle("a-1", "down"));
  expect(state().problem).toContain("cannot be reached");
  isBroken = false;
  await act(() => store().ratings.toggle("a-1", "down"));
  expect(state().problem).toBeNull();
  expect(shownRating()).toBe("down");
});

test("presses in quick succession arrive one after the other, and the last one counts", async () => {
  const { next, hold } = holding();
  const { store, state, shownRating } = await openRated(null, hold);
  let isDone = Promise.resolve();
  act(() => void (isDone = store().ratings.toggle("a-1", "up")));
  const first = await next();
  act(() => void store().ratings.toggle("a-1", "down"));
  act(() => void store().ratings.toggle("a-1", "down"));
  act(() => void store().ratings.toggle("a-1", "down"));
  expect(shownRating()).toBe("down");
  expect(changes()).toEqual([["PUT", { rating: "up" }]]);

  await act(async () => sendJson(first, {}));
  const second = await next();
  expect(shownRating()).toBe("down");
  await act(async () => {
    sendJson(second, {});
    await isDone;
  });
  expect(state().messages[1]!.rating).toBe("down");
  expect(changes()).toEqual([
    ["PUT", { rating: "up" }],
    ["PUT", { rating: "down" }],
  ]);
});

test("what was read before a rating arrived does not undo it", async () => {
  const { store, state, shownRating } = await openRated(null);
  let stored: string | null = null;
  let stale: ServerResponse | undefined;
  chat.server.answer((response, { method }) => {
    if (method === "PUT") {
      stored = "up";
      sendJson(response, {});
    } else if (stored) sendJson(response, page(question(), rated(stored)));
    else stale = response;
  });
  let isRead = Promise.resolve();
  act(() => void (isRead = store().refresh()));
  await waitFor(() => expect(stale).toBeDefined());
  await act(() => store().ratings.toggle("a-1", "up"));
  await act(async () => {
    sendJson(stale!, page(question(), rated(null)));
    await isRead;
  });
  expect(shownRating()).toBe("up");
  expect(state().messages[1]!.rating).toBe("up");
});

test("a rating that is removed elsewhere goes when the messages are read again", async () => {
  const { store, shownRating } = await openRated(null);
  await act(() => store().ratings.toggle("a-1", "up"));
  expect(shownRating()).toBe("up");
  await act(() => store().refresh());
  expect(shownRating()).toBeNull();
});
