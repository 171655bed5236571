import { connectionLost, fromResponse } from "./errors";
import type { SharedSnapshot } from "./types";

/** A page of a shared conversation, the oldest first. Nobody needs to be signed in to read it. */
export async function readShared(
  apiUrl: string,
  token: string,
  cursor?: string | null,
): Promise<SharedSnapshot> {
  const url = new URL(`${apiUrl}/api/shared/${encodeURIComponent(token)}`);
  if (cursor) url.searchParams.set("cursor", cursor);
  // The address of the page holds the secret.
  const response = await fetch(url, { cache: "no-store", referrerPolicy: "no-referrer" }).catch(
    () => {
      throw connectionLost();
    },
  );
  if (!response.ok) throw await fromResponse(response);
  return (await response.json()) as SharedSnapshot;
}
