import type { ToolCall } from "@/services/types";

/** Adds a tool call, or replaces the one with the same id. */
export function withToolCall(calls: ToolCall[], call: ToolCall): ToolCall[] {
  const index = calls.findIndex(({ call_id }) => call_id === call.call_id);
  return index < 0 ? [...calls, call] : calls.with(index, call);
}

/** Changes the status of every tool call that is in the status `from`. */
export function withStatus(calls: ToolCall[], from: ToolCall["status"], to: ToolCall["status"]) {
  return calls.map((call) => (call.status === from ? { ...call, status: to } : call));
}

/** Whether `calls` have progressed further than `others`: more calls, or more of them finished. */
export function isAhead(calls: ToolCall[], others: ToolCall[]): boolean {
  return progressOf(calls) > progressOf(others);
}

const progressOf = (calls: ToolCall[]) =>
  calls.length + calls.filter(({ status }) => status !== "in_progress").length;

/** "send_postcard" as "Send postcard". */
export function toolName(name: string): string {
  const words = name.replaceAll(/[_-]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
