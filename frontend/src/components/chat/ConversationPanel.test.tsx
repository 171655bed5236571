import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { openStream, sendJson } from "@/testing/apiServer";
import { answer, answerWith, ChatTest, CREATED, page, question, REPLY } from "@/testing/chat";
import type { Model } from "@/services/types";
import { ConversationPanel } from "./ConversationPanel";

const chat = new ChatTest();

beforeAll(() => chat.start());
afterAll(() => chat.stop());

const CUT_OFF = "This answer was cut off at the model's limit.";

function show(
  conversationId: string | null,
  notice: string | null = null,
  models: Model[] = [{ id: "gpt-6" }],
) {
  const nothing = () => undefined;
  window.matchMedia = () => ({ matches: true }) as MediaQueryList;
  return render(
    <ConversationPanel
      api={chat.api}
      user={{ id: "ada", name: "Ada", email: "ada@example.com" }}
      conversationId={conversationId}
      title={null}
      models={models}
      notice={notice}
      isBehindDrawer={false}
      draft="Tell me a long story."
      onDraft={nothing}
      onChange={nothing}
      onLeave={nothing}
      onMenu={nothing}
    />,
  );
}

test.each(["offline", "gpt-6"])("with the model %s, the page says whether it is offline", (id) => {
  show(null, null, [{ id }, { id: "offline" }]);
  expect(screen.queryAllByText(/^Offline model/)).toHaveLength(id === "offline" ? 1 : 0);
});

const goOn = () => screen.queryByRole("button", { name: "Go on" });

test("an answer that was cut off says so, and goes on in a turn of its own", async () => {
  chat.serve(
    (response) =>
      answerWith(
        response,
        { user_message_id: "u-2", message_id: "a-2" },
        { message_id: "a-2", response: "and died.", incomplete: null },
      ),
    () => [question(), answer({ content: "They lived", incomplete: "length" })],
  );
  show("c-1");
  expect(await screen.findByText(CUT_OFF)).toBeVisible();
  await userEvent.click(goOn()!);
  await waitFor(() => expect(screen.getByRole("status")).toHaveTextContent("and died."));
  expect(chat.turns().map(({ path, body }) => [path, body])).toEqual([
    ["/api/ada/chat", { message: "Go on.", conversation_id: "c-1" }],
  ]);
  const [first, last] = screen
    .getAllByRole("article")
    .filter(({ textContent }) => /^Assistant/.test(textContent));
  expect(within(first!).getByText(CUT_OFF)).toBeVisible();
  expect(within(last!).queryByText(CUT_OFF)).toBeNull();
  expect(goOn()).toBeNull();
});

test("a streamed answer that is cut off says so at its end, to screen readers as well", async () => {
  let end = () => {};
  chat.serve((response) => {
    const send = openStream(response);
    send("turn.created", CREATED);
    send("turn.output_text.delta", { delta: "They lived" });
    end = () => {
      send("turn.completed", { ...REPLY, response: "They lived", incomplete: "length" });
      response.end();
    };
  });
  show(null);
  await userEvent.click(await screen.findByRole("button", { name: "Send" }));
  expect(await screen.findByText("They lived")).toBeVisible();
  expect(screen.queryByText(CUT_OFF)).toBeNull();
  end();
  await waitFor(() => expect(goOn()).toBeVisible());
  expect(screen.getByRole("status")).toHaveTextContent(`They lived ${CUT_OFF}`);
});

test.each([null, undefined])("an answer whose `incomplete` is %s is whole", async (incomplete) => {
  chat.server.answer((response) =>
    sendJson(response, page(question(), answer({ content: "All of it.", incomplete }))),
  );
  show("c-1");
  expect(await screen.findByText("All of it.")).toBeVisible();
  expect(screen.queryByText(CUT_OFF)).toBeNull();
  expect(goOn()).toBeNull();
});

test("what is left of the quota is told beside the composer", async () => {
  chat.serve(() => {});
  show(null, "5 of 500 messages left for today.");
  expect(await screen.findByText("5 of 500 messages left for today.")).toBeVisible();
});
