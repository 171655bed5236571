import type { Message, MessageStatus, ToolCall } from "@/services/types";

/** A message as it is shown: what the API keeps, or what is on its way there. */
export interface ChatMessage {
  id: string;
  role: "user" | "assistant";
  status: MessageStatus | "sending" | "unsent";
  content: string;
  toolCalls: ToolCall[];
  error: string | null;
}

const ERRORS: Partial<Record<MessageStatus, string>> = {
  failed: "The answer could not be finished.",
  interrupted: "The answer was interrupted.",
};

export function fromApi(message: Message): ChatMessage {
  return {
    id: message.id,
    role: message.role,
    status: message.status,
    content: message.content,
    toolCalls: message.tool_calls ?? [],
    error: message.error?.detail || message.error?.title || ERRORS[message.status] || null,
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

export function withToolCall(toolCalls: ToolCall[], call: ToolCall): ToolCall[] {
  const known = toolCalls.findIndex(
    ({ name, status }) => name === call.name && status !== "completed",
  );
  return known < 0 ? [...toolCalls, call] : toolCalls.with(known, call);
}

/** Takes over a freshly read page: what was read before it and what is not sent yet stays. */
export function merged(messages: ChatMessage[], page: ChatMessage[]): ChatMessage[] {
  const fresh = new Set(page.map(({ id }) => id));
  const isLocal = ({ status }: ChatMessage) => status === "sending" || status === "unsent";
  const kept = messages.filter((message) => !fresh.has(message.id));
  return [...kept.filter((message) => !isLocal(message)), ...page, ...kept.filter(isLocal)];
}
