import { useCallback, useEffect, useState } from "react";

const ROOT = "/chat";

export const conversationPath = (id: string | null) => (id ? `${ROOT}/${id}` : ROOT);

function conversationInAddress(): string | null {
  const id = window.location.pathname.slice(ROOT.length + 1);
  return id ? decodeURIComponent(id) : null;
}

/**
 * Which conversation is open, kept in step with the address bar without asking the server.
 * `key` changes whenever another one is opened, and stays when a new one receives its id.
 */
export function useActiveConversation(initial: string | null) {
  const [active, setActive] = useState({ id: initial, key: 0 });

  const show = useCallback(
    (id: string | null) => setActive(({ key }) => ({ id, key: key + 1 })),
    [],
  );

  useEffect(() => {
    const onBack = () => show(conversationInAddress());
    window.addEventListener("popstate", onBack);
    return () => window.removeEventListener("popstate", onBack);
  }, [show]);

  const open = useCallback(
    (id: string | null) => {
      if (id !== conversationInAddress()) window.history.pushState(null, "", conversationPath(id));
      show(id);
    },
    [show],
  );

  const adopt = useCallback((id: string) => {
    if (id === conversationInAddress()) return;
    window.history.replaceState(null, "", conversationPath(id));
    setActive(({ key }) => ({ id, key }));
  }, []);

  return { active, open, adopt };
}
