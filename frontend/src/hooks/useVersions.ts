import { useState } from "react";
import type { ChatMessage } from "./messages";

/** Which version of a message is on the screen: the current one, until another is asked for. */
export function useVersions(
  message: ChatMessage,
  listVersions: (messageId: string) => Promise<ChatMessage[]>,
) {
  const [versions, setVersions] = useState<ChatMessage[]>([]);
  const [number, setNumber] = useState(message.versionCount);
  const [isLoading, setLoading] = useState(false);
  const earlier = number < message.versionCount ? versions[number - 1] : undefined;

  async function show(next: number) {
    setLoading(true);
    const known = versions.length > 0 ? versions : await listVersions(message.id);
    setLoading(false);
    if (known.length === 0) return;
    setVersions(known);
    setNumber(next);
  }

  return { shown: earlier ?? message, isEarlier: earlier !== undefined, number, isLoading, show };
}
