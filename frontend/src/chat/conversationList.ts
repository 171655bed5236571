import type { Conversation, ConversationPage } from "@/services/types";

export interface ConversationListState {
  status: "loading" | "ready" | "failed";
  conversations: Conversation[];
  hasMore: boolean;
  cursor: string | null;
}

export type ConversationListAction =
  | { type: "loaded"; page: ConversationPage }
  | { type: "reloaded"; page: ConversationPage }
  | { type: "failed" }
  | { type: "changed"; conversation: Conversation }
  | { type: "removed"; id: string };

export const EMPTY_LIST: ConversationListState = {
  status: "loading",
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
    case "loaded":
      return {
        status: "ready",
        conversations: newestFirst([...conversations, ...action.page.data]),
        hasMore: action.page.has_more,
        cursor: action.page.next_cursor,
      };
    case "reloaded":
      return withFirstPage(state, action.page);
    case "failed":
      return { ...state, status: "failed" };
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
  { conversations, cursor }: ConversationListState,
  page: ConversationPage,
): ConversationListState {
  const end = page.data.at(-1)?.updated_at ?? "";
  const older = page.has_more ? conversations.filter(({ updated_at }) => updated_at < end) : [];
  const hasOlder = older.length > 0;
  return {
    status: "ready",
    conversations: newestFirst([...older, ...page.data]),
    hasMore: hasOlder ? cursor !== null : page.has_more,
    cursor: hasOlder ? cursor : page.next_cursor,
  };
}
