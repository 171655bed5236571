import { call, type Refusal } from "./auth";
import { ApiError, connectionLost } from "./errors";
import { explainRefusal } from "./explain_refusal";

/** Better Auth refused. The message is meant for the user. */
export class Refused extends ApiError {
  readonly code: string | undefined;

  constructor(refusal: Refusal) {
    super(explainRefusal(refusal), refusal.status);
    this.name = "Refused";
    this.code = refusal.code;
  }

  /** What was asked for is kept from who signed in too long ago. */
  get isNotFresh() {
    return this.code === "SESSION_NOT_FRESH" || this.code === "SIGN_IN_AGAIN";
  }
}

/** Calls Better Auth and throws what it refuses. */
export async function ask<Data>(path: string, body?: object): Promise<Data> {
  const { data, refusal } = await call<Data>(path, body);
  if (refusal) throw new Refused(refusal);
  return data!;
}

export const rename = (name: string) => ask("/update-user", { name });

/** Sends a link to the present address, and when that is followed, one to the new address. */
export const changeEmail = (newEmail: string) => ask("/change-email", { newEmail });

/** Ends all other sessions. */
export const changePassword = (currentPassword: string, newPassword: string) =>
  ask("/change-password", { currentPassword, newPassword });

interface StoredSession {
  id: string;
  token: string;
  createdAt: string;
  updatedAt: string;
  ipAddress?: string | null;
  userAgent?: string | null;
}

export interface Session extends StoredSession {
  isCurrent: boolean;
}

/** The user's sessions, this one first, then by their latest use. */
export async function listSessions(): Promise<Session[]> {
  const [sessions, current] = await Promise.all([
    ask<StoredSession[]>("/list-sessions"),
    ask<{ session: { id: string } }>("/get-session"),
  ]);
  return sessions
    .map((session) => ({ ...session, isCurrent: session.id === current.session.id }))
    .sort((one, other) => rank(other) - rank(one));
}

const rank = ({ isCurrent, updatedAt }: Session) => (isCurrent ? Infinity : Date.parse(updatedAt));

export const revokeSession = (token: string) => ask("/revoke-session", { token });

export const revokeOtherSessions = () => ask("/revoke-other-sessions", {});

/** A password, which has the provider `credential`, or an account of another provider. */
export interface SignInMethod {
  id: string;
  providerId: string;
}

export const listSignInMethods = () => ask<SignInMethod[]>("/list-accounts");

/** Where the browser has to go to connect an account of another provider. */
export async function connect(provider: string): Promise<string> {
  const back = { callbackURL: "/account", errorCallbackURL: "/account" };
  return (await ask<{ url: string }>("/link-social", { provider, ...back })).url;
}

export const disconnect = (id: string) => ask("/unlink-account", { accountId: id });

/**
 * Erases everything of the user, and then the account. Where either half has failed, it may be repeated. `password`: of
 * who has one.
 */
export async function eraseAccount(email: string, password?: string): Promise<void> {
  const response = await fetch("/api/account/erase", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ email, password }),
  }).catch(() => {
    throw connectionLost();
  });
  if (response.ok) return;
  const { code, message } = (await response.json().catch(() => ({}))) as Partial<Refusal>;
  const waitS = Number(response.headers.get("Retry-After")) || undefined;
  if (response.status < 500) throw new Refused({ status: response.status, code, message, waitS });
  // The server says which half has failed.
  throw message ? new ApiError(message, response.status) : connectionLost();
}
