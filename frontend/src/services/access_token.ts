import { connectionLost, signedOut } from "./errors";

const REFRESH_BEFORE_EXPIRY_MS = 60_000;

interface Claims {
  sub: string;
  exp: number;
}

function readClaims(token: string): Claims {
  try {
    const payload = token.split(".")[1] ?? "";
    return JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))) as Claims;
  } catch {
    throw connectionLost(); // Something else has responded, such as the sign-in page of a network.
  }
}

/** The user's access token: kept in memory only, and renewed by one request at a time. */
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
    this.#refreshAt = Infinity; // Until it arrives, all callers wait for this one.
    token.catch(() => this.#forget(token));
    return token;
  }

  /** Forgets a token that the API rejected, unless it has been replaced already. */
  async reject(token: string): Promise<void> {
    if ((await this.#token) === token) this.#token = null;
  }

  async #renew(): Promise<string> {
    const token = await this.#issue();
    const claims = readClaims(token);
    // Another user has signed in from another tab and must not see this page's content.
    if (claims.sub !== this.#userId) throw signedOut();
    this.#refreshAt = claims.exp * 1000 - REFRESH_BEFORE_EXPIRY_MS;
    return token;
  }

  #forget(token: Promise<string>) {
    if (this.#token === token) this.#token = null;
  }
}
