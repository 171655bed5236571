import type { Model } from "@/services/types";
import { MenuIcon } from "@/components/ui/icons";
import styles from "./PanelHeader.module.css";

/** The name of the model that `make dev` runs where there is no key for another. */
const OFFLINE = "offline";

interface PanelHeaderProps {
  title: string | null;
  conversationId: string | null;
  models: Model[];
  onMenu: () => void;
}

export function PanelHeader({ title, conversationId, models, onMenu }: PanelHeaderProps) {
  return (
    <header className={styles.header}>
      <button
        type="button"
        className={`icon-button ${styles.menu}`}
        aria-label="Open the list of conversations"
        onClick={onMenu}
      >
        <MenuIcon />
      </button>
      <h1 className={styles.title} dir="auto">
        {title ?? (conversationId ? "Conversation" : "New conversation")}
      </h1>
      {models[0]?.id === OFFLINE && (
        <p className={styles.offline}>
          Offline model<span>: it follows rules, and nothing leaves this machine</span>
        </p>
      )}
    </header>
  );
}
