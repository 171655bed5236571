"use client";

import { createAuthClient } from "better-auth/client";
import { connectionLost, signedOut } from "@/services/errors";

const client = createAuthClient();

export const { signIn, signUp, signOut } = client;

/** A short-lived access token for the API, in exchange for the session cookie. */
export async function issueAccessToken(): Promise<string> {
  const { data, error } = await client.$fetch<{ token: string }>("/token").catch(() => {
    throw connectionLost();
  });
  if (data) return data.token;
  throw error.status === 401 ? signedOut() : connectionLost();
}
