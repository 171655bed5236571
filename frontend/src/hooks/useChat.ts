import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import { ChatController } from "@/chat/chatController";
import type { ChatApi } from "@/services/chat_api";
import { useOnReturn } from "./useOnReturn";

/**
 * The chat of one conversation, or of a new one (`null`). `onChange` receives its id once it has been loaded or
 * created, and whenever a turn in it starts or ends. Only the arguments of the first render count: give the
 * component another `key` for another conversation.
 */
export function useChat(
  api: ChatApi,
  conversationId: string | null,
  onChange: (conversationId: string) => void,
) {
  const [controller] = useState(() => new ChatController(api, conversationId, onChange));
  const state = useSyncExternalStore(
    controller.subscribe,
    controller.getState,
    controller.getState,
  );

  useEffect(() => {
    controller.open();
    return () => controller.close();
  }, [controller]);
  useOnReturn(useCallback(() => controller.watch(controller.refresh()), [controller]));

  return { state, controller };
}
