import { useEffect, type KeyboardEvent, type RefObject } from "react";
import styles from "./Composer.module.css";
import { SendIcon, StopIcon } from "@/components/ui/icons";
import { hasKeyboard, isSendKey } from "@/components/ui/keyboard";
import { isSendable, tooLong } from "./messageText";

interface ComposerProps {
  ref: RefObject<HTMLTextAreaElement | null>;
  draft: string;
  onDraft: (text: string) => void;
  isBusy: boolean;
  canStop: boolean;
  onSend: (text: string) => void;
  onStop: () => void;
}

export function Composer({ ref, draft, onDraft, isBusy, canStop, onSend, onStop }: ComposerProps) {
  const problem = tooLong(draft);
  const canSend = !isBusy && isSendable(draft);

  useEffect(() => {
    if (hasKeyboard()) ref.current?.focus();
  }, [ref]);

  function send() {
    if (!canSend) return;
    onSend(draft);
    onDraft("");
  }

  function onKeyDown(event: KeyboardEvent) {
    if (!isSendKey(event)) return;
    event.preventDefault();
    send();
  }

  return (
    <form
      className={styles.composer}
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div className={styles.box}>
        <textarea
          ref={ref}
          id="composer"
          rows={1}
          dir="auto"
          value={draft}
          placeholder="Write a message"
          aria-label="Message"
          aria-describedby="composer-hint"
          aria-invalid={problem !== null}
          onChange={(event) => onDraft(event.target.value)}
          onKeyDown={onKeyDown}
        />
        {isBusy ? (
          <button
            type="button"
            className={styles.action}
            aria-label="Stop the answer"
            title="Stop the answer"
            disabled={!canStop}
            onClick={onStop}
          >
            <StopIcon />
          </button>
        ) : (
          <button
            type="submit"
            className={styles.action}
            aria-label="Send"
            title="Send"
            disabled={!canSend}
          >
            <SendIcon />
          </button>
        )}
      </div>
      <p id="composer-hint" className={styles.hint}>
        {problem ?? "Enter sends, Shift+Enter starts a new line."}
      </p>
    </form>
  );
}
