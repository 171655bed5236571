import { useState } from "react";
import type { Conversation } from "@/services/types";
import { titleOf } from "./conversationTitle";
import { Dialog } from "@/components/ui/Dialog";

interface RenameDialogProps {
  conversation: Conversation;
  onRename: (title: string) => Promise<void>;
  onClose: () => void;
}

export function RenameDialog({ conversation, onRename, onClose }: RenameDialogProps) {
  const [title, setTitle] = useState(conversation.title ?? "");
  return (
    <Dialog
      title="Rename the conversation"
      action="Rename"
      onSubmit={() => onRename(title.trim())}
      onClose={onClose}
    >
      <input
        aria-label="Title"
        value={title}
        dir="auto"
        required
        pattern=".*\S.*"
        maxLength={200}
        autoFocus
        onChange={(event) => setTitle(event.target.value)}
      />
    </Dialog>
  );
}

interface DeleteDialogProps {
  conversation: Conversation;
  onDelete: () => Promise<void>;
  onClose: () => void;
}

export function DeleteDialog({ conversation, onDelete, onClose }: DeleteDialogProps) {
  return (
    <Dialog
      title="Delete the conversation?"
      action="Delete"
      isDangerous
      onSubmit={onDelete}
      onClose={onClose}
    >
      <p>“{titleOf(conversation)}” will be gone with all its messages. This cannot be undone.</p>
    </Dialog>
  );
}
