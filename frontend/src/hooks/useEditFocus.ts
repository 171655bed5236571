import { useLayoutEffect, useRef } from "react";

/** Returns a ref for the edit button, which gets the focus back when an edit is cancelled. */
export function useEditFocus(isEditing: boolean) {
  const button = useRef<HTMLButtonElement>(null);
  const wasEditing = useRef(isEditing);

  useLayoutEffect(() => {
    const isFocusLost = document.activeElement === document.body;
    if (wasEditing.current && !isEditing && isFocusLost) button.current?.focus();
    wasEditing.current = isEditing;
  }, [isEditing]);

  return button;
}
