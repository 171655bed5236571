import { signedOut } from "./errors";

const REFRESH_BEFORE_EXPIRY_MS = 60_000;

interface Claims {
  sub: string;
  exp: number;
}

function readClaims(token: string): Claims {
  const payload = token.split(".")[1] ?? "";
  return JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))) as Claims;
}

/** Keeps the user's access token in memory only, and one request for a new one at a time. */
export class AccessToken {
  readonly #userId: string;
  readonly #issue: () => Promise<string>;
  #token: Promise<string> | null = null;
  #refreshAt = 0;

  constructor(userId: string, issue: () => Promise<string>) {
    this.#userId = userId;
    this.#issue = issue;
  }

  get(): Promise<string> {
    if (this.#token && Date.now() < this.#refreshAt) return this.#token;
    const token = this.#renew();
    this.#token = token;
    this.#refreshAt = Infinity; // while it is on its way, everybody waits for this one
    token.catch(() => this.#forget(token));
    return token;
  }

  /** After a 401: forgets this token, unless it has been replaced meanwhile. */
  async reject(token: string): Promise<void> {
    if ((await this.#token) === token) this.#token = null;
  }

  async #renew(): Promise<string> {
    const token = await this.#issue();
    const claims = readClaims(token);
    // Somebody else has signed in from another tab: this page's content is not theirs.
    if (claims.sub !== this.#userId) throw signedOut();
    this.#refreshAt = claims.exp * 1000 - REFRESH_BEFORE_EXPIRY_MS;
    return token;
  }

  #forget(token: Promise<string>) {
    if (this.#token === token) this.#token = null;
  }
}
