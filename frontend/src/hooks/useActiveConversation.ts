import { useCallback, useEffect, useState } from "react";
import { CHAT_PATH, conversationPath } from "@/chat/conversationPath";

function isInAddress(id: string | null): boolean {
  return window.location.pathname === conversationPath(id);
}

/**
 * The open conversation, kept in step with the address bar without asking the server.
 * `key` changes when another conversation is opened, and stays when a new one receives its id.
 */
export function useActiveConversation(initialId: string | null) {
  const [active, setActive] = useState({ id: initialId, key: 0 });

  useEffect(() => {
    const onPopState = () => {
      const [, root, id = null] = window.location.pathname.split("/");
      if (`/${root}` !== CHAT_PATH) return; // The router leaves this page.
      setActive((current) => (current.id === id ? current : { id, key: current.key + 1 }));
    };
    window.addEventListener("popstate", onPopState);
    return () => window.removeEventListener("popstate", onPopState);
  }, []);

  const open = useCallback((id: string | null) => {
    if (!isInAddress(id)) window.history.pushState(null, "", conversationPath(id));
    setActive(({ key }) => ({ id, key: key + 1 }));
  }, []);

  /** Puts the id of a new conversation into the address. Returns false if it is there already. */
  const adopt = useCallback((id: string): boolean => {
    if (isInAddress(id)) return false;
    window.history.replaceState(null, "", conversationPath(id));
    setActive(({ key }) => ({ id, key }));
    return true;
  }, []);

  return { active, open, adopt };
}
