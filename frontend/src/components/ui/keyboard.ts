import type { KeyboardEvent } from "react";

/** False on a touch screen, where focusing a text field would raise the keyboard over the conversation. */
export const hasKeyboard = () => window.matchMedia("(hover: hover)").matches;

/** Whether an input method is handling the key. Safari reports that as key code 229. */
export const isComposing = (event: KeyboardEvent) =>
  event.nativeEvent.isComposing || event.keyCode === 229;

/** Whether Enter sends the message. Shift+Enter and an input method's Enter do not. */
export const isSendKey = (event: KeyboardEvent) =>
  event.key === "Enter" && !event.shiftKey && !isComposing(event);
