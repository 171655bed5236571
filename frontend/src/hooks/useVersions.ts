import { useState } from "react";
import type { ChatController } from "@/chat/chatController";
import type { ChatMessage } from "@/chat/chatMessage";

/** Which version of a message is shown: the latest one, until the user chooses another. */
export function useVersions(message: ChatMessage, { loader, watch }: ChatController) {
  const [versions, setVersions] = useState<ChatMessage[]>([]);
  const [number, setNumber] = useState(message.versionCount);
  const [isLoading, setLoading] = useState(false);
  const earlier = number < message.versionCount ? versions[number - 1] : undefined;

  async function load(next: number) {
    setLoading(true);
    const loaded = versions.length > 0 ? versions : await loader.listVersions(message.id);
    setLoading(false);
    if (loaded.length === 0) return;
    setVersions(loaded);
    setNumber(next);
  }

  const show = (next: number) => watch(load(next));

  return { shown: earlier ?? message, isEarlier: earlier !== undefined, number, isLoading, show };
}

export type Versions = ReturnType<typeof useVersions>;
