import type { ToolCall } from "@/services/types";
import { characterCount } from "./messageText";

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

const NUMBER_MARK = "\ue000";
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;

function layOut(value: unknown): string {
  if (typeof value === "string") return unmarked(value);
  return JSON.stringify(value, null, 2).replace(TOKEN, (token) =>
    token.startsWith(`"${NUMBER_MARK}`) ? unmarked(token.slice(1, -1)) : token,
  );
}

const unmarked = (text: string) => (text.startsWith(NUMBER_MARK) ? text.slice(1) : text);

/** Numbers become marked strings: JavaScript's numbers would show 12345678901234567890 and 1.0 as others. */
function withExactNumbers(json: string): string {
  return json.replace(TOKEN, (token) =>
    token.startsWith('"') ? token : `"${NUMBER_MARK}${token}"`,
  );
}

function parsed(text: string): object | null {
  try {
    JSON.parse(text);
    const value: unknown = JSON.parse(withExactNumbers(text));
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
  if (text.length <= MAX_SHOWN) return { shown: text, hidden: 0 };
  // Not in the middle of a pair of surrogates.
  const end = /[\ud800-\udbff]/.test(text.charAt(MAX_SHOWN - 1)) ? MAX_SHOWN - 1 : MAX_SHOWN;
  return { shown: text.slice(0, end), hidden: characterCount(text.slice(end)) };
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
