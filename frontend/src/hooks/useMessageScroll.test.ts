import { renderHook } from "@testing-library/react";
import { startedAnswer, userMessage, type ChatMessage } from "@/chat/chatMessage";
import { useMessageScroll } from "./useMessageScroll";

/** A region that is 500 px high, for messages of the given height. */
function createRegion() {
  let top = 0;
  const region = {
    clientHeight: 500,
    scrollHeight: 0,
    get scrollTop() {
      return top;
    },
    set scrollTop(value: number) {
      top = Math.max(0, Math.min(value, this.scrollHeight - this.clientHeight));
    },
  };
  return region;
}

const QUESTION = userMessage("u-1", { status: "completed" });

test("a growing answer is followed after an edit has shortened the conversation", () => {
  const region = createRegion();
  const { result, rerender } = renderHook(
    ({ messages }: { messages: ChatMessage[] }) => useMessageScroll(messages),
    { initialProps: { messages: [] as ChatMessage[] } },
  );
  result.current.region.current = region as unknown as HTMLDivElement;
  const show = (height: number, messages: ChatMessage[]) => {
    region.scrollHeight = height;
    rerender({ messages });
  };
  show(2_000, [QUESTION, startedAnswer("a-1", {})]);
  expect(region.scrollTop).toBe(1_500);

  region.scrollTop = 0; // The user goes up to the question and edits it.
  result.current.onScroll();
  show(2_100, [QUESTION, startedAnswer("a-1", { content: "more" })]);
  expect(region.scrollTop).toBe(0);

  const edited = userMessage("u-2", { status: "completed" });
  show(300, [edited, startedAnswer("a-2", {})]);
  show(900, [edited, startedAnswer("a-2", { content: "A long answer" })]);
  expect(region.scrollTop).toBe(400);
});
