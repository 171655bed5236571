import { useCallback, useEffect, useReducer, useRef } from "react";
import type { ChatApi } from "@/services/chat_api";
import { ApiError } from "@/services/errors";
import type { Conversation, ConversationPage } from "@/services/types";
import { useReturn } from "./useReturn";

interface ConversationsState {
  status: "loading" | "ready" | "failed";
  conversations: Conversation[];
  hasMore: boolean;
  cursor: string | null;
}

type Action =
  | { type: "listed"; page: ConversationPage }
  | { type: "relisted"; page: ConversationPage }
  | { type: "failed" }
  | { type: "changed"; conversation: Conversation }
  | { type: "removed"; id: string };

const EMPTY: ConversationsState = {
  status: "loading",
  conversations: [],
  hasMore: false,
  cursor: null,
};

/** The model's title for a new conversation may come after its first answer: it is looked for twice. */
const TITLE_AFTER_MS = [2_000, 5_000];
const TRY_AGAIN_MS = 5_000;

function newestFirst(conversations: Conversation[]): Conversation[] {
  const byId = new Map(conversations.map((conversation) => [conversation.id, conversation]));
  return [...byId.values()].sort((a, b) => b.updated_at.localeCompare(a.updated_at));
}

/** The first page anew: what it covers and does not hold is gone, what is older stays. */
function relisted({ conversations, cursor }: ConversationsState, page: ConversationPage) {
  const end = page.data.at(-1)?.updated_at ?? "";
  const older = page.has_more ? conversations.filter(({ updated_at }) => updated_at < end) : [];
  const isLonger = older.length > 0;
  return {
    status: "ready" as const,
    conversations: newestFirst([...older, ...page.data]),
    hasMore: isLonger ? cursor !== null : page.has_more,
    cursor: isLonger ? cursor : page.next_cursor,
  };
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
    case "relisted":
      return { ...state, ...relisted(state, action.page) };
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

  const relist = useCallback(async () => {
    const page = await api.listConversations().catch(() => null);
    if (page) dispatch({ type: "relisted", page });
  }, [api]);
  useReturn(relist);

  useEffect(() => {
    if (state.status !== "failed") return;
    const timer = setInterval(relist, TRY_AGAIN_MS);
    return () => clearInterval(timer);
  }, [state.status, relist]);

  const read = useCallback(
    async (id: string) => {
      const conversation = await api.getConversation(id).catch(() => null);
      if (conversation) dispatch({ type: "changed", conversation });
      return conversation;
    },
    [api],
  );

  /** The titles that new conversations began with. */
  const firstTitles = useRef(new Map<string, string>());

  const refresh = useCallback(
    async (id: string, isNew = false) => {
      const conversation = await read(id);
      if (!conversation) return;
      const { title, running } = conversation;
      if (isNew) firstTitles.current.set(id, title);
      if (running || title !== firstTitles.current.get(id)) return;
      firstTitles.current.delete(id);
      for (const delay of TITLE_AFTER_MS) {
        await new Promise((resolve) => setTimeout(resolve, delay));
        if ((await read(id))?.title !== title) return;
      }
    },
    [read],
  );

  const rename = async (id: string, title: string) =>
    dispatch({ type: "changed", conversation: await api.renameConversation(id, title) });

  const remove = async (id: string) => {
    await api.deleteConversation(id);
    dispatch({ type: "removed", id });
  };

  const loadMore = () => load(state.cursor);

  return { ...state, loadMore, refresh, relist, rename, remove };
}

export type Conversations = ReturnType<typeof useConversations>;
