import { useCallback, useRef, useState, type ReactNode } from "react";
import { prefersChatKit, rememberChoice } from "@/hooks/chatChoice";
import type { ChatKitFailure } from "@/services/chatkit_loader";
import { ChatKitPanel, type ChatKitPanelProps } from "./ChatKitPanel";
import styles from "./ChatKitRoom.module.css";
import { IconButton } from "./IconButton";
import { CloseIcon } from "./icons";

interface ChatKitRoomProps extends Omit<ChatKitPanelProps, "onFailure"> {
  isBehindDrawer: boolean;
  builtIn: ReactNode;
}

/** ChatKit where it is wanted and works, else the built-in chat, and the switch between the two. */
export default function ChatKitRoom({ isBehindDrawer, builtIn, ...panel }: ChatKitRoomProps) {
  const [isChatKit, setChatKit] = useState(prefersChatKit);
  const [failure, setFailure] = useState<ChatKitFailure | null>(null);
  const switchButton = useRef<HTMLButtonElement>(null);

  function toggle() {
    rememberChoice(!isChatKit);
    setChatKit(!isChatKit);
    setFailure(null);
  }

  const onFailure = useCallback((reason: ChatKitFailure) => {
    setChatKit(false);
    setFailure(reason);
  }, []);

  function dismiss() {
    setFailure(null);
    switchButton.current?.focus();
  }

  return (
    <div className={styles.room} inert={isBehindDrawer}>
      {/* There before it says something, or screen readers would not tell. */}
      {(isChatKit || failure) && (
        <div role="status">
          {failure && (
            <p className={`notice ${styles.notice}`}>
              {failure.message} This is the built-in chat. Operators: {failure.advice}, or remove
              CHATKIT_DOMAIN_KEY.
              <IconButton name="Dismiss" icon={<CloseIcon />} onClick={dismiss} />
            </p>
          )}
        </div>
      )}
      <div className={styles.stage}>
        <section className={styles.choice} aria-label="Kind of chat">
          <button
            ref={switchButton}
            type="button"
            role="switch"
            aria-checked={isChatKit}
            className={styles.switch}
            onClick={toggle}
          >
            ChatKit <span className={styles.track} aria-hidden="true" />
          </button>
        </section>
        {isChatKit ? <ChatKitPanel {...panel} onFailure={onFailure} /> : builtIn}
      </div>
    </div>
  );
}
