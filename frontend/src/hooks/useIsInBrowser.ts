import { useSyncExternalStore } from "react";

const neverChanges = () => () => undefined;

/** False on the server, and in the browser until it has taken the server's page over. */
export function useIsInBrowser(): boolean {
  return useSyncExternalStore(
    neverChanges,
    () => true,
    () => false,
  );
}
