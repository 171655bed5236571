import { useLayoutEffect, useRef } from "react";
import type { ChatMessage } from "@/chat/chatMessage";

const NEAR_END_PX = 96;

interface Scroll {
  isAtEnd: boolean;
  firstId: string;
  count: number;
  height: number;
}

/** Follows the end of the messages while it is in view, and keeps the position when earlier ones are added. */
export function useMessageScroll(messages: ChatMessage[]) {
  const region = useRef<HTMLDivElement>(null);
  const previous = useRef<Scroll>({ isAtEnd: true, firstId: "", count: 0, height: 0 });

  useLayoutEffect(() => {
    const { current: element } = region;
    if (!element) return;
    const firstId = messages[0]?.id ?? "";
    adjust(element, previous.current, firstId, messages);
    previous.current = {
      // Measured here too: messages that are replaced by fewer may end in view without a scroll event.
      isAtEnd: isAtEnd(element),
      firstId,
      count: messages.length,
      height: element.scrollHeight,
    };
  }, [messages]);

  function onScroll() {
    previous.current.isAtEnd = isAtEnd(region.current!);
  }

  return { region, onScroll };
}

const isAtEnd = ({ scrollTop, scrollHeight, clientHeight }: HTMLElement) =>
  scrollHeight - scrollTop - clientHeight < NEAR_END_PX;

function adjust(element: HTMLElement, before: Scroll, firstId: string, messages: ChatMessage[]) {
  const isLonger = messages.length > before.count;
  if (isLonger && before.count > 0 && firstId !== before.firstId) {
    element.scrollTop += element.scrollHeight - before.height;
  } else if (before.isAtEnd || (isLonger && messages.at(-1)?.status === "sending")) {
    element.scrollTop = element.scrollHeight;
  }
}
