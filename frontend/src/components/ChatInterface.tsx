"use client";

import { lazy, Suspense, useCallback, useEffect, useState, type MouseEvent } from "react";
import { useActiveConversation } from "@/hooks/useActiveConversation";
import { useConversations } from "@/hooks/useConversations";
import { useDraft } from "@/hooks/useDraft";
import { useHydrated } from "@/hooks/useHydrated";
import { useModels } from "@/hooks/useModels";
import { useQuotaNotice } from "@/hooks/useQuotaNotice";
import type { User } from "@/lib/user";
import { AccessToken } from "@/services/access_token";
import { issueAccessToken, signOut } from "@/services/auth";
import { ChatApi, type Addresses } from "@/services/chat_api";
import styles from "./ChatInterface.module.css";
import { ConversationPanel } from "./chat/ConversationPanel";
import { Sidebar } from "./conversations/Sidebar";

const ChatKitView = lazy(() => import("./chat/ChatKitView"));

interface ChatInterfaceProps {
  addresses: Addresses;
  user: User;
  /** Without a key there is the built-in chat only. */
  chatKitDomainKey?: string;
  initialConversationId: string | null;
}

async function leave() {
  await signOut();
  // A full page load, so that no conversation stays in memory.
  window.location.replace("/sign-in");
}

/** Focuses without following the link, because the address holds the conversation's id. */
function skipToConversation(event: MouseEvent) {
  event.preventDefault();
  document.getElementById("conversation")?.focus();
}

function useDocumentTitle(title: string | null) {
  useEffect(() => {
    document.title = `${title ?? "Chat"} · Parley`;
  }, [title]);
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
  const isHydrated = useHydrated();
  const title = conversations.conversations.find(({ id }) => id === active.id)?.title ?? null;
  useDocumentTitle(title);

  const { refresh } = conversations;
  const quota = useQuotaNotice(api);
  const readQuota = quota.refresh;
  const onChange = useCallback(
    (id: string) => {
      refresh(id, adopt(id));
      readQuota();
    },
    [adopt, refresh, readQuota],
  );
  const closeDrawer = useCallback(() => setDrawerOpen(false), []);
  const onOpen = useCallback(
    (id: string | null) => {
      open(id);
      setDrawerOpen(false);
    },
    [open],
  );

  const panel = {
    api,
    user,
    conversationId: active.id,
    title,
    models: useModels(api),
    notice: quota.notice,
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
      {chatKitDomainKey && isHydrated && (
        <Suspense>
          <ChatKitView
            {...panel}
            view={active.key}
            domainKey={chatKitDomainKey}
            onTurn={onChange}
            onOpen={onOpen}
            onList={conversations.reload}
            builtIn={builtIn}
          />
        </Suspense>
      )}
    </div>
  );
}
