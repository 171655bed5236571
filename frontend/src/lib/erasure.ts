import "server-only";
import { isAPIError } from "better-auth/api";
import type { Pool } from "pg";
import { getAuth } from "./auth";
import { config } from "./config";
import { query } from "./database";
import { COUNTED_BY_ADDRESS, COUNTED_BY_USER, limitKey, WINDOW_S } from "./limits";

type Auth = Awaited<ReturnType<typeof getAuth>>;

/** What the user must give, each time anew. */
export interface Confirmation {
  /** The account's e-mail address, as typed. */
  email: string;
  /** The account's password, if it has one. */
  password?: string;
}

/** Why not everything was erased. The message is for the user. */
export class NotErased extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** Seconds to wait, after too many attempts. */
    readonly waitS?: number,
  ) {
    super(message);
  }
}

const signedOut = () => new NotErased(401, "SIGNED_OUT", "You are signed out.");

/** Longer than the API lets a statement take. */
const API_PATIENCE_MS = 25_000;

/**
 * Erases everything of the signed-in user: the data through the API, which needs their token, and then the account.
 * Throws NotErased if one of the halves failed. Both may be repeated.
 */
export async function eraseAccount(headers: Headers, given: Confirmation): Promise<void> {
  const auth = await getAuth();
  const found = await auth.api.getSession({ headers });
  if (!found) throw signedOut();
  const { user, session } = found;
  if (given.email.trim().toLowerCase() !== user.email.toLowerCase()) {
    throw new NotErased(400, "NOT_CONFIRMED", "This is not your e-mail address.");
  }
  if (await hasPassword(auth, user.id)) {
    await checkPassword(auth, headers, given.password ?? "");
  } else if (Date.now() - session.createdAt.getTime() > WINDOW_S * 1000) {
    throw new NotErased(403, "SIGN_IN_AGAIN", "Please sign in again first.");
  }
  await eraseData(user.id, await issueToken(auth, headers));
  await deleteUser(auth.options.database, user);
}

async function issueToken(auth: Auth, headers: Headers): Promise<string> {
  try {
    return (await auth.api.getToken({ headers })).token;
  } catch (error) {
    // Another request has erased the account meanwhile.
    if (isAPIError(error)) throw signedOut();
    throw error;
  }
}

async function hasPassword(auth: Auth, userId: string): Promise<boolean> {
  const { internalAdapter } = await auth.$context;
  return (await internalAdapter.findAccounts(userId)).some(({ password }) => password);
}

/** Counted with all other tries at the password (lib/account-guards.ts). */
async function checkPassword(auth: Auth, headers: Headers, password: string) {
  try {
    await auth.api.verifyPassword({ body: { password }, headers });
  } catch (error) {
    if (!isAPIError(error)) throw error;
    if (error.status === "TOO_MANY_REQUESTS") {
      const waitS = Number(new Headers(error.headers).get("Retry-After"));
      throw new NotErased(429, "TOO_MANY_ATTEMPTS", "Too many attempts.", waitS);
    }
    throw new NotErased(400, "INVALID_PASSWORD", "This is not your password.");
  }
}

async function eraseData(userId: string, token: string): Promise<void> {
  const response = await fetch(`${config.apiUrl}/api/${encodeURIComponent(userId)}/data`, {
    method: "DELETE",
    headers: { Authorization: `Bearer ${token}` },
    cache: "no-store",
    signal: AbortSignal.timeout(API_PATIENCE_MS),
  }).catch(() => undefined);
  if (response?.status === 204) return;
  console.error(`erasure: the API answered ${response?.status ?? "nothing"}`);
  const message = "Your conversations may not be erased, and your account is as it was. Try again.";
  throw new NotErased(502, "DATA_NOT_ERASED", message);
}

/**
 * One statement, so that it is done or not. Sessions, accounts and what else refers to the user go with them. Of the
 * limits, those that are counted by the e-mail address or by the user.
 */
const DELETE_USER = `
  WITH gone AS (DELETE FROM "user" WHERE id = $1),
  limits AS (
    DELETE FROM "rateLimit" WHERE EXISTS (SELECT FROM unnest($3::text[]) AS own WHERE starts_with(key, own))
  )
  DELETE FROM verification
  WHERE strpos(identifier || ' ' || value, $1) > 0 OR lower(identifier || ' ' || value) ~ $2`;

/** The address itself, not another's that begins or ends with it. */
function addressPattern(email: string): string {
  const literal = email.toLowerCase().replace(/[!-/:-?[-`{-~]/g, "\\$&");
  return `(^|[^\\w.%+@-])${literal}($|[^\\w.%+@-])`;
}

async function deleteUser(pool: Pool, user: { id: string; email: string }): Promise<void> {
  const keys = [
    ...COUNTED_BY_ADDRESS.map((kind) => limitKey(kind, user.email)),
    ...COUNTED_BY_USER.map((kind) => limitKey(kind, user.id)),
  ];
  try {
    await query(pool, DELETE_USER, [user.id, addressPattern(user.email), keys]);
  } catch (error) {
    console.error(`erasure: the account was not deleted: ${(error as Error).name}`);
    const message = "Your conversations are erased, but your account is not yet. Try again.";
    throw new NotErased(503, "ACCOUNT_NOT_ERASED", message);
  }
}
