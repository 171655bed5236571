import { useEffect, useRef } from "react";

/** Moves the focus into a drawer when it opens and back when it closes. Escape closes it. */
export function useDrawer(isOpen: boolean, onClose: () => void) {
  const closeButton = useRef<HTMLButtonElement>(null);
  const opener = useRef<Element | null>(null);
  const frame = useRef(0);

  useEffect(() => {
    if (!isOpen) return;
    // This may run again while the drawer is open. Then the focus is in the drawer.
    cancelAnimationFrame(frame.current);
    opener.current ??= document.activeElement;
    closeButton.current?.focus();
    const onKeyDown = (event: KeyboardEvent) => {
      // A dialog opened from the drawer handles Escape itself.
      if (event.key === "Escape" && !document.querySelector("dialog[open]")) onClose();
    };
    document.addEventListener("keydown", onKeyDown);
    return () => {
      document.removeEventListener("keydown", onKeyDown);
      // The rest of the page stays `inert` until React has committed.
      frame.current = requestAnimationFrame(() => {
        if (opener.current instanceof HTMLElement) opener.current.focus();
        opener.current = null;
      });
    };
  }, [isOpen, onClose]);

  return closeButton;
}
