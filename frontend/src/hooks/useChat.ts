import { useEffect, useState, useSyncExternalStore } from "react";
import type { ChatApi } from "@/services/chat_api";
import { ChatStore } from "./chatStore";
import { useReturn } from "./useReturn";

/**
 * The chat of one conversation, or of one that begins with the first message (`null`).
 * `onChange` tells its id when it is there, and when a turn in it has begun or ended. The arguments of the
 * first render count: give the component another `key` for another conversation.
 */
export function useChat(
  api: ChatApi,
  conversationId: string | null,
  onChange: (conversationId: string) => void,
) {
  const [store] = useState(() => new ChatStore(api, conversationId, onChange));
  const state = useSyncExternalStore(store.subscribe, store.getState, store.getState);

  useEffect(() => {
    store.open();
    return () => store.close();
  }, [store]);
  useReturn(store.refresh);

  return { state, store };
}
