import type { AccessToken } from "./access_token";
import { ApiError } from "./errors";
import { Requests } from "./requests";
import type {
  Imported,
  Me,
  Model,
  Settings,
  SettingsChanges,
  SharedConversation,
  SharedPage,
  Usage,
} from "./types";

/** The most that the API gives. */
const LINKS_AT_ONCE = 100;

/** What of the API concerns the user rather than a conversation. */
export class AccountApi {
  readonly #requests: Requests;
  /** The path of everything that belongs to the user. */
  readonly #userPath: string;

  constructor(apiUrl: string, userId: string, token: AccessToken) {
    this.#requests = new Requests(apiUrl, token);
    this.#userPath = `/${encodeURIComponent(userId)}`;
  }

  getMe(): Promise<Me> {
    return this.#requests.json("GET", "/me");
  }

  getUsage(days: number): Promise<Usage> {
    return this.#requests.json("GET", `${this.#userPath}/usage`, { query: { days } });
  }

  /** The first is the default. */
  async listModels(): Promise<Model[]> {
    return (await this.#requests.json<{ data: Model[] }>("GET", "/models")).data;
  }

  getSettings(): Promise<Settings> {
    return this.#requests.json("GET", `${this.#userPath}/settings`);
  }

  updateSettings(body: SettingsChanges): Promise<Settings> {
    return this.#requests.json("PATCH", `${this.#userPath}/settings`, { body });
  }

  /** The user's links to conversations; null where sharing is off. */
  async listShared(): Promise<SharedConversation[] | null> {
    const all: SharedConversation[] = [];
    let cursor: string | null = null;
    try {
      do {
        const query = { limit: LINKS_AT_ONCE, cursor };
        const path = `${this.#userPath}/shares`;
        const page: SharedPage = await this.#requests.json("GET", path, { query });
        all.push(...page.data);
        cursor = page.next_cursor;
      } while (cursor);
    } catch (error) {
      if (error instanceof ApiError && error.isMissing) return null;
      throw error;
    }
    return all;
  }

  async revokeShared(id: string): Promise<void> {
    await this.#requests.send("DELETE", `${this.#userPath}/shares/${id}`);
  }

  /** Takes a part of an export, which is JSON already. The same part twice makes nothing anew. */
  importPart(part: string): Promise<Imported> {
    // Parsed and written again, large integers would be rounded.
    return this.#requests.json("POST", `${this.#userPath}/import`, { json: part });
  }

  /** The parts of a file with everything of the user, JSON Lines, in their order. */
  async *exportEverything(): AsyncGenerator<string> {
    let path: string | null = `${this.#userPath}/export`;
    while (path) {
      const response: Response = await this.#requests.send("GET", path);
      yield await response.text();
      path = nextPath(response);
    }
  }
}

/** The link leads to a path below `/api` (RFC 8288). */
function nextPath({ headers }: Response): string | null {
  const link = /<([^>]*)>\s*;\s*rel="next"/.exec(headers.get("Link") ?? "");
  return link && link[1]!.replace(/^\/api/, "");
}
