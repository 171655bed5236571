import { useCallback, useEffect, useReducer, useRef } from "react";
import { EMPTY_LIST, reduceConversationList } from "@/chat/conversationList";
import type { ChatApi } from "@/services/chat_api";
import { ApiError } from "@/services/errors";
import type { Conversation } from "@/services/types";
import { useOnReturn } from "./useOnReturn";

/** The model may title a new conversation only after its first answer, so the title is read twice more. */
const TITLE_AFTER_MS = [2_000, 5_000];
const RETRY_MS = 5_000;

export function useConversations(api: ChatApi) {
  const [state, dispatch] = useReducer(reduceConversationList, EMPTY_LIST);

  const load = useCallback(
    async (cursor: string | null) => {
      try {
        dispatch({ type: "loaded", page: await api.listConversations(cursor) });
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        dispatch({ type: "failed" });
      }
    },
    [api],
  );

  const reload = useCallback(async () => {
    const page = await api.listConversations().catch(() => null);
    if (page) dispatch({ type: "reloaded", page });
  }, [api]);

  const read = useCallback(
    async (id: string) => {
      const conversation = await api.getConversation(id).catch(() => null);
      if (conversation) dispatch({ type: "changed", conversation });
      return conversation;
    },
    [api],
  );

  useEffect(() => {
    void load(null);
  }, [load]);
  useOnReturn(reload);
  useRetry(state.status === "failed", reload);
  const refresh = useRefresh(read);

  const rename = async (id: string, title: string) =>
    dispatch({ type: "changed", conversation: await api.renameConversation(id, title) });

  const remove = async (id: string) => {
    await api.deleteConversation(id);
    dispatch({ type: "removed", id });
  };

  const loadMore = () => load(state.cursor);

  return { ...state, loadMore, refresh, reload, rename, remove };
}

export type Conversations = ReturnType<typeof useConversations>;

function useRetry(hasFailed: boolean, retry: () => Promise<void>) {
  useEffect(() => {
    if (!hasFailed) return;
    const timer = setInterval(retry, RETRY_MS);
    return () => clearInterval(timer);
  }, [hasFailed, retry]);
}

/** Reads a conversation again after a turn, and waits for the title of a new one. */
function useRefresh(read: (id: string) => Promise<Conversation | null>) {
  /** The provisional titles of new conversations. */
  const firstTitles = useRef(new Map<string, string>());

  return useCallback(
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
}
