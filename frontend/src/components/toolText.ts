import type { ToolCall } from "@/services/types";

export const STATES: Record<ToolCall["status"], string> = {
  in_progress: "Running…",
  completed: "Done",
  failed: "Failed",
  waiting_approval: "Waiting for your decision",
  rejected: "Not run",
  cancelled: "Not finished",
};

/** Applies to results only. Arguments are shown in full, because the user decides on them. */
const MAX_SHOWN = 5_000;

export function durationText(ms: number): string {
  if (ms < 1_000) return `${ms} ms`;
  return ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}

/** Formats JSON, given as a value or as text. Leaves any other text as it is. */
export function prettyText(value: unknown): string {
  return withVisibleOrder(layOut(typeof value === "string" ? (parsed(value) ?? value) : value));
}

const layOut = (value: unknown) =>
  typeof value === "string" ? value : JSON.stringify(value, null, 2);

function parsed(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

/** Escapes bidirectional control characters, so that the text is shown as the tool receives it. */
function withVisibleOrder(text: string): string {
  return text.replace(
    /[\u202a-\u202e\u2066-\u2069]/g,
    (mark) => `\\u${mark.charCodeAt(0).toString(16)}`,
  );
}

export function shortened(text: string): { shown: string; hidden: number } {
  return { shown: text.slice(0, MAX_SHOWN), hidden: Math.max(0, text.length - MAX_SHOWN) };
}

/** The arguments by name; null if they are not an object. */
export function argumentList(json: string): [name: string, value: string][] | null {
  const value = parsed(json);
  if (value === null || Array.isArray(value)) return null;
  return Object.entries(value).map(([name, part]) => [
    withVisibleOrder(name),
    withVisibleOrder(layOut(part)),
  ]);
}
