import { useSyncExternalStore } from "react";

const DARK = "(prefers-color-scheme: dark)";

function subscribe(onChange: () => void) {
  const query = window.matchMedia(DARK);
  query.addEventListener("change", onChange);
  return () => query.removeEventListener("change", onChange);
}

/** The current color scheme of the page. Works in the browser only. */
export function useColorScheme(): "light" | "dark" {
  return useSyncExternalStore(subscribe, () => window.matchMedia(DARK).matches) ? "dark" : "light";
}
