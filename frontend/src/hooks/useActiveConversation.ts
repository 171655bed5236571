import { useCallback, useEffect, useState } from "react";

const ROOT = "/chat";

export const conversationPath = (id: string | null) => (id ? `${ROOT}/${id}` : ROOT);

function isInAddress(id: string | null): boolean {
  return window.location.pathname === conversationPath(id);
}

/**
 * Which conversation is open, kept in step with the address bar without asking the server.
 * `key` changes whenever another one is opened, and stays when a new one receives its id.
 */
export function useActiveConversation(initial: string | null) {
  const [active, setActive] = useState({ id: initial, key: 0 });

  useEffect(() => {
    const onBack = () => {
      const [, root, id = null] = window.location.pathname.split("/");
      if (`/${root}` !== ROOT) return; // the router leaves this page
      setActive((now) => (now.id === id ? now : { id, key: now.key + 1 }));
    };
    window.addEventListener("popstate", onBack);
    return () => window.removeEventListener("popstate", onBack);
  }, []);

  const open = useCallback((id: string | null) => {
    if (!isInAddress(id)) window.history.pushState(null, "", conversationPath(id));
    setActive(({ key }) => ({ id, key: key + 1 }));
  }, []);

  /** Gives a conversation that has just begun its address; says whether it had none. */
  const adopt = useCallback((id: string): boolean => {
    if (isInAddress(id)) return false;
    window.history.replaceState(null, "", conversationPath(id));
    setActive(({ key }) => ({ id, key }));
    return true;
  }, []);

  return { active, open, adopt };
}
