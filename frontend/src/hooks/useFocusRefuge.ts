import { useEffect, useLayoutEffect, useRef, type RefObject } from "react";

/** When the focused element leaves the page, the focus goes to the refuge instead of nowhere. */
export function useFocusRefuge(room: RefObject<HTMLElement | null>, refuge: () => void) {
  const focused = useRef<EventTarget | null>(null);

  useEffect(() => {
    const { current: element } = room;
    const onFocus = ({ target }: FocusEvent) => (focused.current = target);
    element?.addEventListener("focusin", onFocus);
    return () => element?.removeEventListener("focusin", onFocus);
  }, [room]);

  useLayoutEffect(() => {
    const isGone = focused.current instanceof Element && !focused.current.isConnected;
    if (isGone && document.activeElement === document.body) refuge();
  });
}
