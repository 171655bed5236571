import { waitFor } from "@testing-library/dom";
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

/** Opens a conversation whose answer has a stored rating. `respond` answers requests to change it. */
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

/** The requests to change the rating, in the order of their arrival. */
const changes = () =>
  chat.server.received
    .filter(({ path }) => path === FEEDBACK)
    .map(({ method, body }) => [method, body]);

/** Holds requests back until the test responds to them. */
function holding() {
  const held: ServerResponse[] = [];
  const next = () => waitFor(() => expect(held).not.toEqual([])).then(() => held.shift()!);
  return { next, hold: (response: ServerResponse) => held.push(response) };
}

test.each(["up", "down"] as const)("the stored rating %s is shown", async (rating) => {
  const { shownRating } = await openRated(rating);
  expect(shownRating()).toBe(rating);
});

test("a rating is shown before the server has stored it", async () => {
  const { next, hold } = holding();
  const { controller, state, shownRating } = await openRated(null, hold);
  const isDone = controller.ratings.toggle("a-1", "up");
  expect(shownRating()).toBe("up");
  expect(state().messages[1]!.rating).toBeNull();

  const response = await next();
  sendJson(response, {});
  await isDone;
  expect(shownRating()).toBe("up");
  expect(state().messages[1]!.rating).toBe("up");
  expect(changes()).toEqual([["PUT", { rating: "up" }]]);
});

test("another rating replaces the current one", async () => {
  const { controller, shownRating } = await openRated("up");
  await controller.ratings.toggle("a-1", "down");
  expect(shownRating()).toBe("down");
  expect(changes()).toEqual([["PUT", { rating: "down" }]]);
});

test("choosing the same rating again removes it", async () => {
  const { controller, shownRating } = await openRated("up", (response) =>
    response.writeHead(204).end(),
  );
  await controller.ratings.toggle("a-1", "up");
  expect(shownRating()).toBeNull();
  expect(changes()).toEqual([["DELETE", null]]);
});

test.each([
  [null, "up", "PUT"],
  ["up", "up", "DELETE"],
  ["down", "up", "PUT"],
] as const)(
  "from %s, choosing %s reverts with a notice if %s fails",
  async (before, chosen, method) => {
    const { controller, state, shownRating } = await openRated(before, (response) =>
      sendJson(response, problem(503, "Not now."), 503),
    );
    await controller.ratings.toggle("a-1", chosen);
    expect(shownRating()).toBe(before);
    expect(state().problem).toBe("Not now.");
    expect(changes().map(([sent]) => sent)).toEqual([method]);
  },
);

test("the next attempt removes the notice", async () => {
  let isBroken = true;
  const { controller, state, shownRating } = await openRated(null, (response) => {
    if (isBroken) response.destroy();
    else sendJson(response, {});
  });
  await controller.ratings.toggle("a-1", "down");
  expect(state().problem).toContain("cannot be reached");
  isBroken = false;
  await controller.ratings.toggle("a-1", "down");
  expect(state().problem).toBeNull();
  expect(shownRating()).toBe("down");
});

test("quick clicks are sent one after the other, and the last one counts", async () => {
  const { next, hold } = holding();
  const { controller, state, shownRating } = await openRated(null, hold);
  const isDone = controller.ratings.toggle("a-1", "up");
  const first = await next();
  void controller.ratings.toggle("a-1", "down");
  void controller.ratings.toggle("a-1", "down");
  void controller.ratings.toggle("a-1", "down");
  expect(shownRating()).toBe("down");
  expect(changes()).toEqual([["PUT", { rating: "up" }]]);

  sendJson(first, {});
  const second = await next();
  expect(shownRating()).toBe("down");
  sendJson(second, {});
  await isDone;
  expect(state().messages[1]!.rating).toBe("down");
  expect(changes()).toEqual([
    ["PUT", { rating: "up" }],
    ["PUT", { rating: "down" }],
  ]);
});

test("messages read before a rating was stored do not revert it", async () => {
  const { controller, state, shownRating } = await openRated(null);
  let stored: string | null = null;
  let stale: ServerResponse | undefined;
  chat.server.answer((response, { method }) => {
    if (method === "PUT") {
      stored = "up";
      sendJson(response, {});
    } else if (stored) sendJson(response, page(question(), rated(stored)));
    else stale = response;
  });
  const isRead = controller.refresh();
  await waitFor(() => expect(stale).toBeDefined());
  await controller.ratings.toggle("a-1", "up");
  sendJson(stale!, page(question(), rated(null)));
  await isRead;
  expect(shownRating()).toBe("up");
  expect(state().messages[1]!.rating).toBe("up");
});

test("a rating removed elsewhere disappears when the messages are read again", async () => {
  const { controller, shownRating } = await openRated(null);
  await controller.ratings.toggle("a-1", "up");
  expect(shownRating()).toBe("up");
  await controller.refresh();
  expect(shownRating()).toBeNull();
});
