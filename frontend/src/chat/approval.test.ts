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
  REPLY,
} from "@/testing/chat";

const chat = new ChatTest();

beforeAll(() => chat.start());
afterAll(() => chat.stop());

const call = (change: object = {}) => ({
  call_id: "c1",
  name: "send_postcard",
  arguments: '{"to": "Bob"}',
  output: null,
  status: "waiting_approval",
  duration_ms: null,
  ...change,
});
const DONE = call({ status: "completed", output: "Sent.", duration_ms: 3 });
const WAITING = answer({
  status: "waiting_approval",
  content: "Let me ask.",
  tool_calls: [call()],
});

async function openWaiting() {
  const opened = chat.open("c-1");
  await waitFor(() => expect(opened.state().view).toBe("ready"));
  const calls = () => opened.state().messages[1]!.toolCalls.map(({ status }) => status);
  return { ...opened, calls };
}

test("a turn waits for approval, and the announcement names the tool", async () => {
  chat.serve((response) => {
    const send = openStream(response);
    send("turn.created", CREATED);
    send("turn.tool_call", call({ status: "in_progress" }));
    send("turn.waiting_approval", {
      ...REPLY,
      response: "",
      status: "waiting_approval",
      tool_calls: [call()],
    });
    response.end();
  });
  const { controller, state, shown } = chat.open();
  await controller.send("Hi");
  expect(shown()[1]).toEqual(["assistant", "waiting_approval", ""]);
  expect(state().announcement).toBe("The assistant waits for your decision: Send postcard.");
});

test.each([
  [true, "in_progress", DONE],
  [false, "rejected", call({ status: "rejected", output: "Not approved." })],
])("after the decision (%s), the same answer continues", async (approved, meanwhile, ended) => {
  let finish = () => {};
  chat.serve(
    (response) => {
      const send = openStream(response);
      send("turn.created", CREATED);
      finish = () => {
        send("turn.tool_call", ended);
        send("turn.output_text.delta", { delta: " There." });
        const text = "Let me ask. There.";
        send("turn.completed", { ...REPLY, response: text, tool_calls: [ended] });
        response.end();
      };
    },
    () => [question(), WAITING],
  );
  const { controller, shown, calls } = await openWaiting();
  void controller.decide("a-1", approved);
  await waitFor(() => expect(calls()).toEqual([meanwhile]));
  expect(shown()[1]).toEqual(["assistant", "in_progress", "Let me ask."]);
  finish();
  await waitFor(() => expect(shown()[1]).toEqual(["assistant", "completed", "Let me ask. There."]));
  expect(calls()).toEqual([ended.status]);
  expect(chat.turns()).toMatchObject([
    {
      path: "/api/ada/conversations/c-1/messages/a-1/approval",
      body: { approved, calls: [DONE.call_id] },
    },
  ]);
});

test("a decision that cannot be sent changes nothing, and can be repeated", async () => {
  let isDown = true;
  chat.serve(
    (response) => (isDown ? response.destroy() : answerWith(response, {}, { tool_calls: [DONE] })),
    () => [question(), WAITING],
  );
  const { controller, shown, state } = await openWaiting();
  await controller.decide("a-1", true);
  expect(shown()[1]).toEqual(["assistant", "waiting_approval", "Let me ask."]);
  expect(state().problem).toMatch(/cannot be reached/);
  isDown = false;
  await controller.decide("a-1", true);
  expect(shown()[1]![1]).toBe("completed");
  expect(state().problem).toBeNull();
});

test("a decision whose reply is lost turns out to have arrived", async () => {
  let stored = WAITING;
  chat.serve(
    (response) => {
      stored = answer({ content: "Done.", tool_calls: [DONE] });
      response.destroy();
    },
    () => [question(), stored],
  );
  const { controller, shown, state, calls } = await openWaiting();
  await controller.decide("a-1", true);
  expect(shown()[1]).toEqual(["assistant", "completed", "Done."]);
  expect(calls()).toEqual(["completed"]);
  expect(state().problem).toBeNull();
});

test("a decision made while another one is being carried out is refused, and the turn is polled", async () => {
  let reads = 0;
  chat.serve(refuseAsBusy, () => {
    reads += 1;
    if (reads === 1) return [question(), WAITING];
    const status = reads < 4 ? "in_progress" : "completed";
    return [question(), answer({ status, content: "Let me ask.", tool_calls: [DONE] })];
  });
  const { controller, shown, state } = await openWaiting();
  void controller.decide("a-1", false);
  await waitFor(() => expect(state().problem).toMatch(/still being written/));
  await waitFor(() => expect(shown()[1]![1]).toBe("completed"), { timeout: 8_000 });
  expect(state().problem).toBeNull();
}, 15_000);

test("no decision is possible in a deleted conversation", async () => {
  let isGone = false;
  chat.server.answer((response) =>
    isGone
      ? sendJson(response, problem(404, "Deleted."), 404)
      : sendJson(response, page(question(), WAITING)),
  );
  const { controller, state } = await openWaiting();
  isGone = true;
  await controller.decide("a-1", true);
  expect(state().view).toBe("missing");
});

test("sending a new message rejects the pending tool call", async () => {
  chat.serve(
    (response) =>
      answerWith(
        response,
        { user_message_id: "u-2", message_id: "a-2" },
        { message_id: "a-2", response: "Fine." },
      ),
    () => [question(), WAITING],
  );
  const { controller, shown, calls } = await openWaiting();
  await controller.send("Never mind");
  expect(shown()).toEqual([
    ["user", "completed", "Hi"],
    ["assistant", "cancelled", "Let me ask."],
    ["user", "completed", "Never mind"],
    ["assistant", "completed", "Fine."],
  ]);
  expect(calls()).toEqual(["rejected"]);
});

test("a tool call in progress is shown as not finished when its turn fails", async () => {
  chat.serve((response) => {
    const send = openStream(response);
    send("turn.created", CREATED);
    send("turn.tool_call", call({ status: "in_progress" }));
    send("turn.failed", problem(502, "The model is away."));
    response.end();
  });
  const { controller, state } = chat.open();
  await controller.send("Hi");
  expect(state().messages[1]!.toolCalls).toMatchObject([{ status: "cancelled" }]);
});

test("after a reload, the tool calls of a turn in progress are polled even without new text", async () => {
  let reads = 0;
  chat.serve(
    () => {},
    () => {
      reads += 1;
      const first = reads < 2 ? call({ status: "in_progress" }) : DONE;
      const rest = reads < 3 ? [] : [call({ call_id: "c2", status: "in_progress" })];
      return [question(), answer({ status: "in_progress", tool_calls: [first, ...rest] })];
    },
  );
  const { calls } = await openWaiting();
  expect(calls()).toEqual(["in_progress"]);
  await waitFor(() => expect(calls()).toEqual(["completed"]), { timeout: 4_000 });
  await waitFor(() => expect(calls()).toEqual(["completed", "in_progress"]), { timeout: 4_000 });
}, 15_000);
