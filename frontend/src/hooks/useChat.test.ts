import { act, renderHook, waitFor } from "@testing-library/react";
import { openStream } from "@/testing/apiServer";
import { answer, ChatTest, CREATED, question, REPLY } from "@/testing/chat";
import { useChat } from "./useChat";

const chat = new ChatTest();

beforeAll(() => chat.start());
afterAll(() => chat.stop());

function open(conversationId: string | null = null) {
  const onChange = jest.fn();
  const { result, unmount } = renderHook(() => useChat(chat.api, conversationId, onChange));
  const statuses = () => result.current.state.messages.map(({ status }) => status);
  return { onChange, unmount, statuses, chat: () => result.current };
}

test("returning to the page shows a turn from another tab, and follows it", async () => {
  let stored: object[] = [];
  chat.serve(
    () => {},
    () => stored,
  );
  const opened = open("c-1");
  await waitFor(() => expect(opened.chat().state.view).toBe("ready"));
  stored = [question(), answer({ status: "in_progress", content: "H" })];
  act(() => void window.dispatchEvent(new Event("focus")));
  await waitFor(() => expect(opened.statuses()).toEqual(["completed", "in_progress"]));
  stored = [question(), answer({ content: "Hello." })];
  await waitFor(() => expect(opened.statuses()).toEqual(["completed", "completed"]), {
    timeout: 8_000,
  });
}, 15_000);

test("unmounting stops reading and reports no more changes", async () => {
  let send: (event: string, data: unknown) => void = () => {};
  chat.serve((response) => {
    send = openStream(response);
    send("turn.created", CREATED);
  });
  const opened = open();
  act(() => void opened.chat().controller.send("Hi"));
  await waitFor(() => expect(opened.statuses()).toHaveLength(2));
  opened.unmount();
  // A chat closes a task later, because React's strict mode unmounts and mounts again at once.
  await new Promise((resolve) => setTimeout(resolve, 20));
  send("turn.completed", REPLY);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(opened.onChange).toHaveBeenCalledTimes(1);
});
