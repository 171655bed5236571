import { useEffect, useRef } from "react";

/** Moves the focus into a drawer when it opens and back when it closes. Escape closes it. */
export function useDrawer(isOpen: boolean, onClose: () => void) {
  const closeButton = useRef<HTMLButtonElement>(null);

  useEffect(() => {
    if (!isOpen) return;
    const opener = document.activeElement;
    closeButton.current?.focus();
    const onKeyDown = (event: KeyboardEvent) => {
      // A dialog opened from the drawer handles Escape itself.
      if (event.key === "Escape" && !document.querySelector("dialog[open]")) onClose();
    };
    document.addEventListener("keydown", onKeyDown);
    return () => {
      document.removeEventListener("keydown", onKeyDown);
      // The rest of the page stays `inert` until React has committed.
      requestAnimationFrame(() => opener instanceof HTMLElement && opener.focus());
    };
  }, [isOpen, onClose]);

  return closeButton;
}
