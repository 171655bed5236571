import { useState } from "react";
import type { Conversations } from "@/hooks/useConversations";
import { useDrawer } from "@/hooks/useDrawer";
import type { User } from "@/lib/user";
import { toApiError } from "@/services/errors";
import type { Conversation } from "@/services/types";
import { Brand } from "@/components/ui/Brand";
import { DeleteDialog, RenameDialog } from "./ConversationDialogs";
import { ConversationList } from "./ConversationList";
import { IconButton } from "@/components/ui/IconButton";
import { AccountIcon, CloseIcon, PlusIcon, SignOutIcon } from "@/components/ui/icons";
import styles from "./Sidebar.module.css";

interface SidebarProps {
  user: User;
  conversations: Conversations;
  activeId: string | null;
  isDrawerOpen: boolean;
  onClose: () => void;
  onOpen: (id: string | null) => void;
  onSignOut: () => Promise<void>;
}

/** On a phone the sidebar is a drawer. */
export function Sidebar(props: SidebarProps) {
  const { user, conversations, activeId, isDrawerOpen, onClose, onOpen, onSignOut } = props;
  const [renaming, setRenaming] = useState<Conversation | null>(null);
  const [deleting, setDeleting] = useState<Conversation | null>(null);
  const closeButton = useDrawer(isDrawerOpen, onClose);

  async function remove(id: string) {
    await conversations.remove(id);
    if (id === activeId) onOpen(null);
  }

  return (
    <>
      {isDrawerOpen && <div className={styles.backdrop} onClick={onClose} />}
      <div className={`${styles.sidebar} ${isDrawerOpen ? styles.open : ""}`}>
        <nav className={styles.conversations} aria-label="Conversations">
          <header className={styles.header}>
            <Brand />
            <button
              ref={closeButton}
              type="button"
              className={`icon-button ${styles.close}`}
              aria-label="Close the list of conversations"
              onClick={onClose}
            >
              <CloseIcon />
            </button>
          </header>
          <button type="button" className={styles.new} onClick={() => onOpen(null)}>
            <PlusIcon /> New conversation
          </button>
          <ConversationList
            conversations={conversations}
            activeId={activeId}
            onOpen={onOpen}
            onRename={setRenaming}
            onDelete={setDeleting}
          />
        </nav>
        <Account user={user} onSignOut={onSignOut} />
      </div>
      {renaming && (
        <RenameDialog
          conversation={renaming}
          onRename={(title) => conversations.rename(renaming.id, title)}
          onClose={() => setRenaming(null)}
        />
      )}
      {deleting && (
        <DeleteDialog
          conversation={deleting}
          onDelete={() => remove(deleting.id)}
          onClose={() => setDeleting(null)}
        />
      )}
    </>
  );
}

function Account({ user, onSignOut }: Pick<SidebarProps, "user" | "onSignOut">) {
  const [problem, setProblem] = useState<string | null>(null);

  function signOut() {
    setProblem(null);
    onSignOut().catch((failure: unknown) => setProblem(toApiError(failure).message));
  }

  return (
    <footer className={styles.account}>
      {problem && (
        <p className="alert" role="alert">
          You are still signed in. {problem}
        </p>
      )}
      <div className={styles.user}>
        <strong>{user.name}</strong>
        <span>{user.email}</span>
      </div>
      {/* Not a Link, which would load the account page's code beforehand. */}
      <a className="icon-button" href="/account" aria-label="Your account" title="Your account">
        <AccountIcon />
      </a>
      <IconButton name="Sign out" icon={<SignOutIcon />} onClick={signOut} />
    </footer>
  );
}
