"use client";

import { lazy, Suspense, useCallback, useEffect, useState, type MouseEvent } from "react";
import { useActiveConversation } from "@/hooks/useActiveConversation";
import { useConversations } from "@/hooks/useConversations";
import { useDraft } from "@/hooks/useDraft";
import { useIsInBrowser } from "@/hooks/useIsInBrowser";
import { issueAccessToken, signOut } from "@/lib/auth-client";
import { AccessToken } from "@/services/access_token";
import { ChatApi, type Addresses } from "@/services/chat_api";
import styles from "./ChatInterface.module.css";
import { ConversationPanel } from "./ConversationPanel";
import { Sidebar } from "./Sidebar";

export interface User {
  id: string;
  name: string;
  email: string;
}

const ChatKitRoom = lazy(() => import("./ChatKitRoom"));

interface ChatInterfaceProps {
  addresses: Addresses;
  user: User;
  /** Without it there is the built-in chat only. */
  chatKitDomainKey?: string;
  initialConversationId: string | null;
}

async function leave() {
  await signOut();
  // A full load, so that nothing of the conversations stays in memory.
  window.location.replace("/sign-in");
}

/** Without the address of the link: the address names the conversation. */
function skipToConversation(event: MouseEvent) {
  event.preventDefault();
  document.getElementById("conversation")?.focus();
}

export function ChatInterface(props: ChatInterfaceProps) {
  const { addresses, user, chatKitDomainKey, initialConversationId } = props;
  const [api] = useState(
    () => new ChatApi(addresses, user.id, new AccessToken(user.id, issueAccessToken)),
  );
  const conversations = useConversations(api);
  const { active, open, adopt } = useActiveConversation(initialConversationId);
  const [draft, onDraft] = useDraft(active.key);
  const [isDrawerOpen, setDrawerOpen] = useState(false);
  const isInBrowser = useIsInBrowser();
  const { refresh } = conversations;

  const onChange = useCallback(
    (id: string) => {
      const isNew = adopt(id);
      void refresh(id, isNew);
    },
    [adopt, refresh],
  );

  const closeDrawer = useCallback(() => setDrawerOpen(false), []);

  const onOpen = useCallback(
    (id: string | null) => {
      open(id);
      setDrawerOpen(false);
    },
    [open],
  );

  const title = conversations.conversations.find(({ id }) => id === active.id)?.title ?? null;
  useEffect(() => {
    document.title = `${title ?? "Chat"} · Parley`;
  }, [title]);

  const panel = {
    api,
    user,
    conversationId: active.id,
    title,
    isBehindDrawer: isDrawerOpen,
    draft,
    onDraft,
    onMenu: () => setDrawerOpen(true),
  };
  const builtIn = (
    <ConversationPanel {...panel} key={active.key} onChange={onChange} onLeave={() => open(null)} />
  );

  return (
    <div className={styles.layout}>
      <a className="skip-link" href="#conversation" onClick={skipToConversation}>
        Skip to the conversation
      </a>
      <Sidebar
        user={user}
        conversations={conversations}
        activeId={active.id}
        isDrawerOpen={isDrawerOpen}
        onClose={closeDrawer}
        onOpen={onOpen}
        onSignOut={leave}
      />
      {!chatKitDomainKey && builtIn}
      {chatKitDomainKey && isInBrowser && (
        <Suspense>
          <ChatKitRoom
            {...panel}
            view={active.key}
            domainKey={chatKitDomainKey}
            onTurn={onChange}
            onOpen={onOpen}
            onList={conversations.relist}
            builtIn={builtIn}
          />
        </Suspense>
      )}
    </div>
  );
}
