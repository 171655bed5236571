import { useLayoutEffect, useRef, type KeyboardEvent } from "react";
import type { EditDraft } from "@/chat/chatState";
import styles from "./MessageEditor.module.css";
import { isComposing, isSendKey } from "@/components/ui/keyboard";
import { isSendable, tooLong } from "./messageText";

interface MessageEditorProps {
  edit: EditDraft;
  isBusy: boolean;
  isSending: boolean;
  onChange: (text: string) => void;
  onSend: () => void;
  onCancel: () => void;
}

export function MessageEditor(props: MessageEditorProps) {
  const { edit, isBusy, isSending, onChange, onSend, onCancel } = props;
  const field = useRef<HTMLTextAreaElement>(null);
  const canSend = !isBusy && isSendable(edit.text);

  useLayoutEffect(() => {
    const { current: element } = field;
    element?.focus();
    element?.setSelectionRange(element.value.length, element.value.length);
  }, []);

  function send() {
    if (canSend) onSend();
  }

  function onKeyDown(event: KeyboardEvent) {
    if (event.key === "Escape" && !isComposing(event) && !isSending) onCancel();
    if (!isSendKey(event)) return;
    event.preventDefault();
    send();
  }

  return (
    <form
      className={styles.editor}
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        ref={field}
        rows={2}
        dir="auto"
        value={edit.text}
        readOnly={isSending}
        aria-label="Edit your message"
        aria-describedby={`hint-${edit.messageId}`}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={onKeyDown}
      />
      {edit.error && (
        <p className="alert" role="alert">
          {edit.error}
        </p>
      )}
      <div className={styles.foot}>
        <p id={`hint-${edit.messageId}`} className={styles.hint}>
          {tooLong(edit.text) ?? "A new answer replaces everything that follows."}
        </p>
        <button
          type="button"
          className="button secondary small"
          disabled={isSending}
          onClick={onCancel}
        >
          Cancel
        </button>
        <button type="submit" className="button small" disabled={!canSend}>
          {isSending ? "Sending…" : "Send"}
        </button>
      </div>
    </form>
  );
}
