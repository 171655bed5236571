import { useCallback, useState, type SetStateAction } from "react";

/** The unsent text of the open conversation. Both kinds of chat share it; another `key` begins empty. */
export function useDraft(key: number) {
  const [draft, setDraft] = useState({ key, text: "" });
  const setText = useCallback(
    (change: SetStateAction<string>) =>
      setDraft((current) => {
        const text = current.key === key ? current.text : "";
        return { key, text: typeof change === "function" ? change(text) : change };
      }),
    [key],
  );

  return [draft.key === key ? draft.text : "", setText] as const;
}
