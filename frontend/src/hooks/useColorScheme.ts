import { useSyncExternalStore } from "react";

const DARK = "(prefers-color-scheme: dark)";

function subscribe(onChange: () => void) {
  const query = window.matchMedia(DARK);
  query.addEventListener("change", onChange);
  return () => query.removeEventListener("change", onChange);
}

/** Of the page as it is now, in the browser. */
export function useColorScheme(): "light" | "dark" {
  return useSyncExternalStore(subscribe, () => window.matchMedia(DARK).matches) ? "dark" : "light";
}
