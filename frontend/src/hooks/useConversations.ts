import { useCallback, useEffect, useReducer } from "react";
import type { ChatApi } from "@/services/chat_api";
import { ApiError } from "@/services/errors";
import type { Conversation, ConversationPage } from "@/services/types";

interface ConversationsState {
  status: "loading" | "ready" | "failed";
  conversations: Conversation[];
  hasMore: boolean;
  cursor: string | null;
}

type Action =
  | { type: "listed"; page: ConversationPage }
  | { type: "failed" }
  | { type: "changed"; conversation: Conversation }
  | { type: "removed"; id: string };

const EMPTY: ConversationsState = {
  status: "loading",
  conversations: [],
  hasMore: false,
  cursor: null,
};

/** A title is made after the reply, by work that may take a moment: it is looked for a few times. */
const TITLE_AFTER_MS = [0, 2_000, 5_000];

function newestFirst(conversations: Conversation[]): Conversation[] {
  const byId = new Map(conversations.map((conversation) => [conversation.id, conversation]));
  return [...byId.values()].sort((a, b) => b.updated_at.localeCompare(a.updated_at));
}

function reduce(state: ConversationsState, action: Action): ConversationsState {
  const { conversations } = state;
  switch (action.type) {
    case "listed":
      return {
        status: "ready",
        conversations: newestFirst([...conversations, ...action.page.data]),
        hasMore: action.page.has_more,
        cursor: action.page.next_cursor,
      };
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

export function useConversations(api: ChatApi) {
  const [state, dispatch] = useReducer(reduce, EMPTY);

  const load = useCallback(
    async (cursor: string | null) => {
      try {
        dispatch({ type: "listed", page: await api.listConversations(cursor) });
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        dispatch({ type: "failed" });
      }
    },
    [api],
  );

  useEffect(() => {
    void load(null);
  }, [load]);

  const refresh = useCallback(
    async (id: string) => {
      for (const delay of TITLE_AFTER_MS) {
        await new Promise((resolve) => setTimeout(resolve, delay));
        const conversation = await api.getConversation(id).catch(() => null);
        if (!conversation) return;
        dispatch({ type: "changed", conversation });
        if (conversation.title) return;
      }
    },
    [api],
  );

  const rename = async (id: string, title: string) =>
    dispatch({ type: "changed", conversation: await api.renameConversation(id, title) });

  const remove = async (id: string) => {
    await api.deleteConversation(id);
    dispatch({ type: "removed", id });
  };

  const loadMore = () => load(state.cursor);

  return { ...state, loadMore, refresh, rename, remove };
}

export type Conversations = ReturnType<typeof useConversations>;
