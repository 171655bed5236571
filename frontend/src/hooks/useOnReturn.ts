import { useEffect } from "react";

/** Calls back when the user returns to the page, or the page is online again. */
export function useOnReturn(onReturn: () => void) {
  useEffect(() => {
    const onVisible = () => document.visibilityState === "visible" && onReturn();
    window.addEventListener("focus", onReturn);
    window.addEventListener("online", onReturn);
    document.addEventListener("visibilitychange", onVisible);
    return () => {
      window.removeEventListener("focus", onReturn);
      window.removeEventListener("online", onReturn);
      document.removeEventListener("visibilitychange", onVisible);
    };
  }, [onReturn]);
}
