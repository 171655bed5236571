import type { Conversation, ConversationPage } from "@/services/types";

export interface ConversationListState {
  status: "loading" | "ready" | "failed";
  isLoadingMore: boolean;
  conversations: Conversation[];
  hasMore: boolean;
  cursor: string | null;
}

export type ConversationListAction =
  | { type: "loading" }
  | { type: "loaded"; page: ConversationPage }
  | { type: "reloaded"; page: ConversationPage }
  | { type: "failed" }
  | { type: "changed"; conversation: Conversation }
  | { type: "removed"; id: string };

export const EMPTY_LIST: ConversationListState = {
  status: "loading",
  isLoadingMore: false,
  conversations: [],
  hasMore: false,
  cursor: null,
};

export function reduceConversationList(
  state: ConversationListState,
  action: ConversationListAction,
): ConversationListState {
  const { conversations } = state;
  switch (action.type) {
    case "loading":
      return { ...state, isLoadingMore: true };
    case "loaded":
      return {
        status: "ready",
        isLoadingMore: false,
        conversations: newestFirst([...conversations, ...action.page.data]),
        hasMore: action.page.has_more,
        cursor: action.page.next_cursor,
      };
    case "reloaded":
      return withFirstPage(state, action.page);
    case "failed":
      return { ...state, status: "failed", isLoadingMore: false };
    case "changed":
      return { ...state, conversations: newestFirst([...conversations, action.conversation]) };
    case "removed":
      return { ...state, conversations: conversations.filter(({ id }) => id !== action.id) };
    default:
      return action satisfies never;
  }
}

function newestFirst(conversations: Conversation[]): Conversation[] {
  const byId = new Map(conversations.map((conversation) => [conversation.id, conversation]));
  return [...byId.values()].sort((a, b) => b.updated_at.localeCompare(a.updated_at));
}

/** Replaces what the first page covers and keeps older conversations. */
function withFirstPage(
  state: ConversationListState,
  page: ConversationPage,
): ConversationListState {
  const { conversations, cursor } = state;
  const end = page.data.at(-1)?.updated_at ?? "";
  const older = page.has_more ? conversations.filter(({ updated_at }) => updated_at < end) : [];
  const hasOlder = older.length > 0;
  return {
    ...state,
    status: "ready",
    conversations: newestFirst([...older, ...page.data]),
    hasMore: hasOlder ? cursor !== null : page.has_more,
    cursor: hasOlder ? cursor : page.next_cursor,
  };
}
