import { useEffect, useLayoutEffect, useRef, type RefObject } from "react";

/** Calls `focusFallback` when the focused element inside `container` is removed, which would lose the focus. */
export function useFocusFallback(
  container: RefObject<HTMLElement | null>,
  focusFallback: () => void,
) {
  const focused = useRef<EventTarget | null>(null);

  useEffect(() => {
    const { current: element } = container;
    const onFocus = ({ target }: FocusEvent) => (focused.current = target);
    element?.addEventListener("focusin", onFocus);
    return () => element?.removeEventListener("focusin", onFocus);
  }, [container]);

  useLayoutEffect(() => {
    const isRemoved = focused.current instanceof Element && !focused.current.isConnected;
    if (isRemoved && document.activeElement === document.body) focusFallback();
  });
}
