import type { KeyboardEvent } from "react";

const MAX_LENGTH = 32_000;

const count = (length: number) => length.toLocaleString("en");

/** The error to show for a text that the API would refuse. */
export function tooLong(text: string): string | null {
  if (text.length <= MAX_LENGTH) return null;
  return `Too long: ${count(text.length)} of ${count(MAX_LENGTH)} characters.`;
}

export const isSendable = (text: string) => text.trim() !== "" && tooLong(text) === null;

/** Whether an input method is handling the key. Safari reports that as key code 229. */
export const isComposing = (event: KeyboardEvent) =>
  event.nativeEvent.isComposing || event.keyCode === 229;

/** Whether Enter sends the message. Shift+Enter and an input method's Enter do not. */
export const isSendKey = (event: KeyboardEvent) =>
  event.key === "Enter" && !event.shiftKey && !isComposing(event);
