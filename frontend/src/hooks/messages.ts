import type { Message, ToolCall } from "@/services/types";

/** A tool call; it has its id while its turn is streamed. */
export type ShownToolCall = ToolCall & { call_id?: string };

/** A message as it is shown: what the API keeps, or what is on its way there. */
export interface ChatMessage {
  id: string;
  role: "user" | "assistant";
  status: Message["status"] | "sending" | "unsent";
  content: string;
  toolCalls: ShownToolCall[];
  /** Why there is no answer, or no more of it. */
  error: string | null;
}

const ERRORS: Partial<Record<Message["status"], string>> = {
  failed: "The answer could not be finished.",
  interrupted: "The answer was interrupted.",
};

function describe(problem: Message["error"]): string | null {
  return typeof problem?.detail === "string" ? problem.detail : null;
}

export function fromApi(message: Message): ChatMessage {
  return {
    id: message.id,
    role: message.role,
    status: message.status,
    content: message.content,
    toolCalls: message.tool_calls,
    error: describe(message.error) ?? ERRORS[message.status] ?? null,
  };
}

export function userMessage(id: string, content: string): ChatMessage {
  return { id, role: "user", status: "sending", content, toolCalls: [], error: null };
}

export function emptyAnswer(id: string): ChatMessage {
  return { id, role: "assistant", status: "in_progress", content: "", toolCalls: [], error: null };
}

export function patched(
  messages: ChatMessage[],
  id: string,
  change: Partial<ChatMessage>,
): ChatMessage[] {
  return messages.map((message) => (message.id === id ? { ...message, ...change } : message));
}

export function withoutMessage(messages: ChatMessage[], id: string): ChatMessage[] {
  return messages.filter((message) => message.id !== id);
}

/** The last place counts: an answer that is run again keeps its id and moves to the end. */
export function appended(messages: ChatMessage[], message: ChatMessage): ChatMessage[] {
  return [...withoutMessage(messages, message.id), message];
}

export function withToolCall(calls: ShownToolCall[], call: ShownToolCall): ShownToolCall[] {
  const known = calls.findIndex(({ call_id }) => call_id === call.call_id);
  return known < 0 ? [...calls, call] : calls.with(known, call);
}

/** Puts a freshly read page in the place of what it covers, before what is not sent yet. */
export function merged(messages: ChatMessage[], page: ChatMessage[]): ChatMessage[] {
  const fresh = new Set(page.map(({ id }) => id));
  const overlap = messages.findIndex(({ id }) => fresh.has(id));
  const unsent = messages.filter(({ status }) => status === "sending" || status === "unsent");
  return [...messages.slice(0, Math.max(overlap, 0)), ...page, ...unsent];
}
