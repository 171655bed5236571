import { useCallback, useState, type SetStateAction } from "react";

/** What is being written in the conversation that is open, in whichever chat; another one begins empty. */
export function useDraft(key: number) {
  const [written, setWritten] = useState({ key, text: "" });
  const setDraft = useCallback(
    (change: SetStateAction<string>) =>
      setWritten((now) => {
        const text = now.key === key ? now.text : "";
        return { key, text: typeof change === "function" ? change(text) : change };
      }),
    [key],
  );

  return [written.key === key ? written.text : "", setDraft] as const;
}
