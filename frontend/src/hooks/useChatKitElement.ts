import { useEffect, type RefObject } from "react";
import { startChatKit, watchFrame, type ChatKitFailure } from "@/services/chatkit_loader";

/** Starts ChatKit in its element and watches it. Both callbacks must be stable. */
export function useChatKitElement(
  ref: RefObject<HTMLElement | null>,
  setReady: (isReady: boolean) => void,
  onFailure: (failure: ChatKitFailure) => void,
) {
  useEffect(() => {
    const element = ref.current!;
    let isUnmounted = false;
    let stopWatching: () => void = () => undefined;
    startChatKit(element).then(
      () => {
        if (isUnmounted) return;
        setReady(true);
        stopWatching = watchFrame(element, onFailure);
      },
      (failure: ChatKitFailure) => isUnmounted || onFailure(failure),
    );
    return () => {
      isUnmounted = true;
      stopWatching();
    };
  }, [ref, setReady, onFailure]);
}
