import type { Rating } from "@/services/types";
import { isInProgress, type ChatMessage } from "./chatMessage";

export type ChatView = "loading" | "ready" | "forbidden" | "missing" | "unavailable" | "signed-out";

/** An edit of a sent message that has not been sent yet. */
export interface EditDraft {
  messageId: string;
  text: string;
  error: string | null;
}

/** Ratings on their way to the server, by message. `null` removes a rating; `undefined` has arrived. */
export type PendingRatings = Readonly<Record<string, Rating | null | undefined>>;

export interface ChatState {
  view: ChatView;
  conversationId: string | null;
  messages: ChatMessage[];
  hasEarlier: boolean;
  edit: EditDraft | null;
  ratings: PendingRatings;
  /** The message that is being sent, edited, regenerated or decided on, until the server answers. */
  pendingId: string | null;
  /** `checking` after the connection to the current answer broke, until the answer grows again. */
  connection: "good" | "checking" | "unreachable";
  isStopping: boolean;
  isSignedOut: boolean;
  /** Why the last action failed. */
  problem: string | null;
  /** The answer that has just ended, for screen readers. */
  announcement: string;
}

export const answerInProgress = ({ messages }: ChatState) => messages.find(isInProgress);

/** Whether a turn is starting or in progress. */
export const isBusy = (state: ChatState) =>
  state.pendingId !== null || answerInProgress(state) !== undefined;

export function initialState(conversationId: string | null): ChatState {
  return {
    view: conversationId ? "loading" : "ready",
    conversationId,
    messages: [],
    hasEarlier: false,
    edit: null,
    ratings: {},
    pendingId: null,
    connection: "good",
    isStopping: false,
    isSignedOut: false,
    problem: null,
    announcement: "",
  };
}
