import { useCallback, useRef, useState, type ReactNode } from "react";
import { prefersChatKit, savePreference } from "@/chat/chatPreference";
import type { ChatKitFailure } from "@/services/chatkit_loader";
import { ChatKitPanel, type ChatKitPanelProps } from "./ChatKitPanel";
import styles from "./ChatKitView.module.css";
import { IconButton } from "@/components/ui/IconButton";
import { CloseIcon } from "@/components/ui/icons";

interface ChatKitViewProps extends Omit<ChatKitPanelProps, "onFailure"> {
  isBehindDrawer: boolean;
  builtIn: ReactNode;
}

/** Shows ChatKit if the user prefers it and it works, else the built-in chat, and a switch between them. */
export default function ChatKitView({ isBehindDrawer, builtIn, ...panel }: ChatKitViewProps) {
  const [isChatKit, setChatKit] = useState(prefersChatKit);
  const [failure, setFailure] = useState<ChatKitFailure | null>(null);
  const switchButton = useRef<HTMLButtonElement>(null);

  function toggle() {
    savePreference(!isChatKit);
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
    <div className={styles.view} inert={isBehindDrawer}>
      {/* Screen readers announce the failure only if this element exists beforehand. */}
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
      <div className={styles.content}>
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
