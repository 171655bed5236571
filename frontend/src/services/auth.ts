import { authClient } from "@/lib/auth-client";
import { connectionLost, signedOut } from "./errors";

/** Ends the session. */
export async function signOut(): Promise<void> {
  const { error } = await authClient.signOut().catch(() => {
    throw connectionLost();
  });
  if (error) throw connectionLost();
}

/** Exchanges the session cookie for a short-lived access token for the API. */
export async function issueAccessToken(): Promise<string> {
  const { data, error } = await authClient.$fetch<{ token: string }>("/token").catch(() => {
    throw connectionLost();
  });
  if (data) return data.token;
  throw error.status === 401 ? signedOut() : connectionLost();
}
