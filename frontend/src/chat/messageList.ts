import type { Act } from "@/services/types";
import { isLocal, isWaiting, startedAnswer, userMessage, type ChatMessage } from "./chatMessage";
import { isAhead, withStatus } from "./toolCalls";

type Resume = Extract<Act, { kind: "resume" }>;

export function withChange(
  messages: ChatMessage[],
  id: string,
  change: Partial<ChatMessage>,
): ChatMessage[] {
  return messages.map((message) => (message.id === id ? { ...message, ...change } : message));
}

export function withoutMessage(messages: ChatMessage[], id: string): ChatMessage[] {
  return messages.filter((message) => message.id !== id);
}

interface StartedTurn {
  /** The message that the act is about. */
  targetId: string;
  act: Act;
  questionId: string;
  answerId: string;
}

/** The messages once the server has started a turn. */
export function withStartedTurn(messages: ChatMessage[], turn: StartedTurn): ChatMessage[] {
  const { targetId, act, questionId, answerId } = turn;
  if (act.kind === "resume") return withDecision(messages, answerId, act);

  const target = messages.find(({ id }) => id === targetId);
  const count = act.kind === "send" ? 1 : (target?.versionCount ?? 0) + 1;
  const latest = { version: count, versionCount: count };

  const shown = keptMessages(messages, targetId);
  const isShown = (id: string) => shown.some((message) => message.id === id);
  // Polling may have shown the question and the answer of a repeated request already.
  if (act.kind !== "regenerate" && !isShown(questionId)) {
    shown.push(userMessage(questionId, { status: "completed", content: act.message, ...latest }));
  }
  const answer = startedAnswer(answerId, act.kind === "regenerate" ? latest : {});
  const local = messages.filter((message) => isLocal(message) && message.id !== targetId);
  if (!isShown(answerId)) return [...shown, answer, ...local];
  const { status, content, toolCalls, error, isCutOff } = answer;
  const change = { status, content, toolCalls, error, isCutOff };
  return [...withChange(shown, answerId, change), ...local];
}

/** The stored messages that stay: all of them, or those before the edited or regenerated message. */
function keptMessages(messages: ChatMessage[], targetId: string): ChatMessage[] {
  const stored = messages.filter((message) => !isLocal(message)).map(withoutPendingApproval);
  const index = stored.findIndex(({ id }) => id === targetId);
  return index < 0 ? stored : stored.slice(0, index);
}

/** Shows the decision until the server reports the results of the tool calls. */
function withDecision(messages: ChatMessage[], answerId: string, { approved }: Resume) {
  return messages.map((message) => {
    if (message.id !== answerId) return message;
    const status = approved ? "in_progress" : "rejected";
    const toolCalls = withStatus(message.toolCalls, "waiting_approval", status);
    return { ...message, status: "in_progress" as const, error: null, toolCalls };
  });
}

/** Starting another turn rejects pending tool calls, as the server does. */
function withoutPendingApproval(message: ChatMessage): ChatMessage {
  if (!isWaiting(message)) return message;
  const toolCalls = withStatus(message.toolCalls, "waiting_approval", "rejected");
  return { ...message, status: "cancelled", toolCalls };
}

/** Replaces the messages that a freshly read page covers; local messages stay at the end. */
export function withPage(messages: ChatMessage[], page: ChatMessage[]): ChatMessage[] {
  const fresh = new Set(page.map(({ id }) => id));
  const shown = new Map(messages.map((message) => [message.id, message]));
  const overlap = messages.findIndex(({ id }) => fresh.has(id));
  return [
    ...messages.slice(0, Math.max(overlap, 0)),
    ...page.map((message) => withLongerText(message, shown.get(message.id))),
    ...localMessages(messages, page),
  ];
}

/** A streamed text may be ahead of the stored one and must not shrink while somebody reads it. */
function withLongerText(stored: ChatMessage, shown: ChatMessage | undefined): ChatMessage {
  if (!shown || !isPartial(stored) || !isPartial(shown)) return stored;
  return shown.content.startsWith(stored.content) && !isAhead(stored.toolCalls, shown.toolCalls)
    ? { ...stored, content: shown.content, toolCalls: shown.toolCalls }
    : stored;
}

const isPartial = ({ status }: ChatMessage) => status === "in_progress" || status === "interrupted";

/** Local messages, except lost ones that the page shows to have arrived. */
function localMessages(messages: ChatMessage[], page: ChatMessage[]): ChatMessage[] {
  const arrived = page
    .filter(({ id, role }) => role === "user" && !messages.some((message) => message.id === id))
    .map(({ content }) => content);
  return messages.filter(isLocal).filter(({ status, content }) => {
    const index = status === "lost" ? arrived.indexOf(content) : -1;
    if (index >= 0) arrived.splice(index, 1);
    return index < 0;
  });
}

/** Whether an answer has more text, or its tool calls have progressed. */
export function hasGrown(before: ChatMessage, after: ChatMessage | undefined): boolean {
  return after?.content !== before.content || isAhead(after.toolCalls, before.toolCalls);
}
