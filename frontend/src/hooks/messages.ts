import type { Act, Message, Rating, ToolCall } from "@/services/types";

/**
 * What the server has not stored, as far as this page knows: on its way there; refused; `lost` with its
 * connection, so that it may have arrived; `held` back by another answer; `queued` until that has ended.
 */
type LocalStatus = "sending" | "unsent" | "lost" | "held" | "queued";

/** A message as it is shown: what the API keeps, or what is on its way there. */
export interface ChatMessage {
  id: string;
  role: "user" | "assistant";
  status: Message["status"] | LocalStatus;
  content: string;
  toolCalls: ToolCall[];
  /** What the user thinks of an answer, as it is stored. */
  rating: Rating | null;
  /** Why there is no answer, or no more of it. */
  error: string | null;
  version: number;
  versionCount: number;
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
    rating: message.feedback?.rating ?? null,
    error: describe(message.error) ?? ERRORS[message.status] ?? null,
    version: message.version,
    versionCount: message.version_count,
  };
}

export function userMessage(
  id: string,
  content: string,
  change: Partial<ChatMessage> = {},
): ChatMessage {
  return {
    id,
    role: "user",
    status: "sending",
    content,
    toolCalls: [],
    rating: null,
    error: null,
    version: 1,
    versionCount: 1,
    ...change,
  };
}

const UNWRITTEN: Pick<ChatMessage, "status" | "content" | "toolCalls" | "error"> = {
  status: "in_progress",
  content: "",
  toolCalls: [],
  error: null,
};

export const isLocal = ({ status }: ChatMessage) =>
  ["sending", "unsent", "lost", "held", "queued"].includes(status);

export const isRunning = ({ status }: ChatMessage) => status === "in_progress";

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

export function withToolCall(calls: ToolCall[], call: ToolCall): ToolCall[] {
  const known = calls.findIndex(({ call_id }) => call_id === call.call_id);
  return known < 0 ? [...calls, call] : calls.with(known, call);
}

/** The calls with one status in the place of another. */
export function withStatus(calls: ToolCall[], from: ToolCall["status"], to: ToolCall["status"]) {
  return calls.map((call) => (call.status === from ? { ...call, status: to } : call));
}

export const isWaiting = ({ status }: { status: string }) => status === "waiting_approval";

/** What was decided about a message that waited, until the server tells how its calls went. */
function decided(message: ChatMessage, isApproved: boolean): ChatMessage {
  const status = isApproved ? "in_progress" : "rejected";
  const toolCalls = withStatus(message.toolCalls, "waiting_approval", status);
  return { ...message, status: "in_progress", error: null, toolCalls };
}

/** Whoever goes on without deciding has decided against it: the server does the same. */
function undecided(message: ChatMessage): ChatMessage {
  if (!isWaiting(message)) return message;
  const toolCalls = withStatus(message.toolCalls, "waiting_approval", "rejected");
  return { ...message, status: "cancelled", toolCalls };
}

/**
 * The messages once the server has taken up an act on the message `targetId`. A reply that is replayed
 * may have been read meanwhile: what is known by its id keeps its place.
 */
export function begun(
  messages: ChatMessage[],
  targetId: string,
  act: Act,
  { questionId, answerId }: { questionId: string; answerId: string },
): ChatMessage[] {
  if (act.kind === "approval") {
    return messages.map((message) =>
      message.id === answerId ? decided(message, act.approved) : message,
    );
  }
  const target = messages.find(({ id }) => id === targetId);
  const unsent = messages.filter((message) => isLocal(message) && message.id !== targetId);
  const stored = messages.filter((message) => !isLocal(message)).map(undecided);
  const kept =
    act.kind === "send" || !target
      ? stored
      : stored.slice(
          0,
          stored.findIndex(({ id }) => id === targetId),
        );

  const count = act.kind === "send" ? 1 : (target?.versionCount ?? 0) + 1;
  const latest = { version: count, versionCount: count };
  if (act.kind !== "regenerate" && !kept.some(({ id }) => id === questionId)) {
    kept.push(userMessage(questionId, act.message, { status: "completed", ...latest }));
  }
  if (kept.some(({ id }) => id === answerId)) {
    return [...patched(kept, answerId, UNWRITTEN), ...unsent];
  }
  const versions = act.kind === "regenerate" ? latest : { version: 1, versionCount: 1 };
  const answer: ChatMessage = {
    id: answerId,
    role: "assistant",
    rating: null,
    ...UNWRITTEN,
    ...versions,
  };
  return [...kept, answer, ...unsent];
}

/** Puts a freshly read page in the place of what it covers, before what is not stored. */
export function merged(messages: ChatMessage[], page: ChatMessage[]): ChatMessage[] {
  const fresh = new Set(page.map(({ id }) => id));
  const shown = new Map(messages.map((message) => [message.id, message]));
  const overlap = messages.findIndex(({ id }) => fresh.has(id));
  return [
    ...messages.slice(0, Math.max(overlap, 0)),
    ...page.map((message) => notShorter(message, shown.get(message.id))),
    ...unstored(messages, page),
  ];
}

/** What was streamed may be ahead of what is stored: a text does not shrink under its reader's eyes. */
function notShorter(stored: ChatMessage, shown: ChatMessage | undefined): ChatMessage {
  if (!shown || !isPartial(stored) || !isPartial(shown)) return stored;
  return shown.content.startsWith(stored.content) && !isAhead(stored.toolCalls, shown.toolCalls)
    ? { ...stored, content: shown.content, toolCalls: shown.toolCalls }
    : stored;
}

function isAhead(some: ToolCall[], others: ToolCall[]): boolean {
  const steps = (calls: ToolCall[]) =>
    calls.length + calls.filter(({ status }) => status !== "in_progress").length;
  return steps(some) > steps(others);
}

/** Whether anything has come to an answer. */
export function hasGrown(before: ChatMessage, after: ChatMessage | undefined): boolean {
  return after?.content !== before.content || isAhead(after.toolCalls, before.toolCalls);
}

const isPartial = ({ status }: ChatMessage) => status === "in_progress" || status === "interrupted";

/** A lost message that turns up among the stored ones has arrived after all. */
function unstored(messages: ChatMessage[], page: ChatMessage[]): ChatMessage[] {
  const arrived = page
    .filter(({ id, role }) => role === "user" && !messages.some((message) => message.id === id))
    .map(({ content }) => content);
  return messages.filter(isLocal).filter(({ status, content }) => {
    const at = status === "lost" ? arrived.indexOf(content) : -1;
    if (at >= 0) arrived.splice(at, 1);
    return at < 0;
  });
}
