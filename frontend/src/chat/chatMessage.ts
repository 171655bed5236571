import type { Message, Rating, ToolCall } from "@/services/types";

/**
 * Statuses of a message that the server has not stored, as far as this page knows. A `lost` message may have
 * arrived all the same. A `held` one waits for its author, a `queued` one for the current answer to end.
 */
type LocalStatus = "sending" | "unsent" | "lost" | "held" | "queued";

/** A message as the page shows it, whether the server has stored it or not. */
export interface ChatMessage {
  id: string;
  role: "user" | "assistant";
  status: Message["status"] | LocalStatus;
  content: string;
  toolCalls: ToolCall[];
  /** The stored rating of an answer. */
  rating: Rating | null;
  /** Why the message was not sent, or why the answer is missing or incomplete. */
  error: string | null;
  /** The model's limit cut the answer off. */
  isCutOff: boolean;
  version: number;
  versionCount: number;
}

const ERRORS: Partial<Record<Message["status"], string>> = {
  failed: "The answer could not be finished.",
  interrupted: "The answer was interrupted.",
};

export const CUT_OFF = "This answer was cut off at the model's limit.";

function detailOf(problem: Message["error"]): string | null {
  return typeof problem?.detail === "string" ? problem.detail : null;
}

export const isCutOff = ({ incomplete }: Pick<Message, "incomplete">) => incomplete === "length";

export function fromApi(message: Message): ChatMessage {
  return {
    id: message.id,
    role: message.role,
    status: message.status,
    content: message.content,
    toolCalls: message.tool_calls,
    rating: message.feedback?.rating ?? null,
    error: detailOf(message.error) ?? ERRORS[message.status] ?? null,
    isCutOff: isCutOff(message),
    version: message.version,
    versionCount: message.version_count,
  };
}

const BLANK = {
  content: "",
  toolCalls: [],
  rating: null,
  error: null,
  isCutOff: false,
  version: 1,
  versionCount: 1,
} satisfies Partial<ChatMessage>;

export function userMessage(id: string, change: Partial<ChatMessage>): ChatMessage {
  return { id, role: "user", status: "sending", ...BLANK, ...change };
}

export function startedAnswer(id: string, change: Partial<ChatMessage>): ChatMessage {
  return { id, role: "assistant", status: "in_progress", ...BLANK, ...change };
}

const LOCAL: string[] = ["sending", "unsent", "lost", "held", "queued"] satisfies LocalStatus[];

export const isLocal = ({ status }: ChatMessage) => LOCAL.includes(status);

export const isInProgress = ({ status }: { status: string }) => status === "in_progress";

export const isWaiting = ({ status }: { status: string }) => status === "waiting_approval";
