import { connectionLost, signedOut } from "./errors";

/** Why Better Auth refused. */
export interface Refusal {
  status: number;
  code?: string;
  message?: string;
  /** Seconds to wait, after too many attempts. */
  waitS?: number;
}

/** An endpoint's answer, or why it refused. */
export interface Answer<Data> {
  data?: Data;
  refusal?: Refusal;
}

/** Fetches Better Auth's endpoint. Its own client would be 11 KB, on pages that have nothing else to load. */
export async function call<Data>(path: string, body?: object): Promise<Answer<Data>> {
  const response = await fetch(`/api/auth${path}`, {
    method: body ? "POST" : "GET",
    headers: body && { "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  }).catch(() => {
    throw connectionLost();
  });
  const data = (await response.json().catch(() => null)) as (Data & Refusal) | null;
  if (response.ok && data) return { data };
  return {
    refusal: { ...data, status: response.ok ? 502 : response.status, waitS: wait(response) },
  };
}

function wait({ headers }: Response): number | undefined {
  const seconds = headers.get("Retry-After") ?? headers.get("X-Retry-After");
  return seconds ? Number(seconds) : undefined;
}

/** With `twoFactorRedirect` in the answer, a code is still missing. */
export function signIn(email: string, password: string) {
  return call<{ twoFactorRedirect?: boolean }>("/sign-in/email", { email, password });
}

/** Where the browser has to go to sign in with an account of another provider. */
export function signInSocial(provider: string, callbackURL: string) {
  const errorCallbackURL = "/sign-in";
  return call<{ url: string }>("/sign-in/social", { provider, callbackURL, errorCallbackURL });
}

/** Without a token in the answer, the address has to be confirmed first. */
export function signUp(name: string, email: string, password: string) {
  return call<{ token: string | null }>("/sign-up/email", { name, email, password });
}

export function sendVerification(email: string) {
  return call("/send-verification-email", { email });
}

export function requestPasswordReset(email: string) {
  return call("/request-password-reset", { email });
}

export function resetPassword(token: string, newPassword: string) {
  return call("/reset-password", { token, newPassword });
}

/** Ends the session. */
export async function signOut(): Promise<void> {
  const { refusal } = await call("/sign-out", {});
  if (refusal) throw connectionLost();
}

/** Exchanges the session cookie for a short-lived access token for the API. */
export async function issueAccessToken(): Promise<string> {
  const { data, refusal } = await call<{ token: string }>("/token");
  if (data) return data.token;
  throw refusal?.status === 401 ? signedOut() : connectionLost();
}
