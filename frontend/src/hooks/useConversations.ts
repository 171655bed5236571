import { useCallback, useEffect, useReducer, useRef } from "react";
import { EMPTY_LIST, reduceConversationList } from "@/chat/conversationList";
import type { ChatApi } from "@/services/chat_api";
import { reportDefect } from "@/services/errors";
import type { Conversation } from "@/services/types";
import { useOnReturn } from "./useOnReturn";

/** The model may title a new conversation only after its first answer, so the title is read twice more. */
const TITLE_AFTER_MS = [2_000, 5_000];
const RETRY_MS = 5_000;

export function useConversations(api: ChatApi) {
  const [state, dispatch] = useReducer(reduceConversationList, EMPTY_LIST);

  const load = useCallback(
    (cursor: string | null) => {
      dispatch({ type: "loading" });
      api.listConversations(cursor).then(
        (page) => dispatch({ type: "loaded", page }),
        (failure: unknown) => {
          reportDefect(failure);
          dispatch({ type: "failed" });
        },
      );
    },
    [api],
  );

  // The user asked for neither of these two: if they fail, the list stays as it is.
  const reload = useCallback(() => {
    api.listConversations().then((page) => dispatch({ type: "reloaded", page }), reportDefect);
  }, [api]);

  const read = useCallback(
    async (id: string) => {
      const conversation = await api.getConversation(id).catch(() => null);
      if (conversation) dispatch({ type: "changed", conversation });
      return conversation;
    },
    [api],
  );

  useEffect(() => load(null), [load]);
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

function useRetry(hasFailed: boolean, retry: () => void) {
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

  const follow = useCallback(
    async (id: string, isNew: boolean) => {
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

  return useCallback(
    (id: string, isNew = false) => void follow(id, isNew).catch(reportDefect),
    [follow],
  );
}
