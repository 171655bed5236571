import { MenuIcon } from "./icons";
import styles from "./PanelHeader.module.css";

interface PanelHeaderProps {
  title: string | null;
  conversationId: string | null;
  onMenu: () => void;
}

export function PanelHeader({ title, conversationId, onMenu }: PanelHeaderProps) {
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
    </header>
  );
}
