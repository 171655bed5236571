import type { KeyboardEvent } from "react";

const MAX_LENGTH = 32_000;

const count = (length: number) => length.toLocaleString("en");

/** What is to be said about a text that the API would refuse. */
export function tooLong(text: string): string | null {
  if (text.length <= MAX_LENGTH) return null;
  return `Too long: ${count(text.length)} of ${count(MAX_LENGTH)} characters.`;
}

export const isSendable = (text: string) => text.trim() !== "" && tooLong(text) === null;

/** The key belongs to an input method, which shows candidates; 229 is what Safari reports then. */
export const isComposing = (event: KeyboardEvent) =>
  event.nativeEvent.isComposing || event.keyCode === 229;

/** Enter, but not the one that accepts an input method's candidate, nor Shift+Enter. */
export const isSendKey = (event: KeyboardEvent) =>
  event.key === "Enter" && !event.shiftKey && !isComposing(event);
