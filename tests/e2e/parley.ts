import { test as base, expect, type Locator, type Page } from "@playwright/test";

export { expect };

export const ADA = { name: "Ada", email: "ada@example.com", password: "analytical engine" };
export const GRACE = { name: "Grace", email: "grace@example.com", password: "nanoseconds wire" };
export const BOB = { name: "Bob", email: "bob@example.com", password: "canary in a coal mine" };

/** Marks tests that run against the development server as well. */
export const CORE = { tag: "@core" };

/** The file that keeps a person's session between tests. */
export const stateOf = (person: { name: string }) => `test-results/people/${person.name}.json`;

const isLocal = (url: string) => ["localhost", "127.0.0.1"].includes(new URL(url).hostname);

/**
 * Every test also fails on an error in the page, a violated policy, or a request that leaves the machine.
 * `reachesChatKit` allows requests to ChatKit's host, which the test itself must answer.
 */
export const test = base.extend<{ reachesChatKit: boolean; watched: void }>({
  reachesChatKit: [false, { option: true }],
  watched: [
    async ({ page, reachesChatKit }, use) => {
      const isAllowed = (url: string) =>
        isLocal(url) || (reachesChatKit && url.startsWith("https://cdn.platform.openai.com/"));
      const faults: string[] = [];
      page.on("pageerror", (error) => faults.push(error.message));
      page.on("console", (message) => {
        // The browser reports every 4xx response as an error, and tests provoke some.
        const isResponse = message.text().startsWith("Failed to load resource");
        if (message.type() === "error" && !isResponse) faults.push(message.text());
      });
      page.on("request", (request) => {
        if (/^https?:/.test(request.url()) && !isAllowed(request.url())) faults.push(request.url());
      });
      await use();
      // The development server counts errors of the page here, also some that the browser does not report.
      await expect(page.locator("nextjs-portal [data-nextjs-dialog-overlay]")).toHaveCount(0);
      expect(faults).toEqual([]);
    },
    { auto: true },
  ],
});

export class Chat {
  readonly composer: Locator;
  readonly messages: Locator;
  readonly questions: Locator;
  readonly answers: Locator;
  readonly conversations: Locator;
  readonly send: Locator;
  readonly stop: Locator;

  constructor(readonly page: Page) {
    this.composer = page.getByRole("textbox", { name: "Message" });
    this.messages = page.getByRole("log", { name: "Messages" });
    const articlesOf = (name: string) =>
      this.messages
        .getByRole("article")
        .filter({ has: page.getByRole("heading", { name, exact: true, level: 2 }) });
    this.questions = articlesOf("You");
    this.answers = articlesOf("Assistant");
    this.conversations = page.getByRole("navigation", { name: "Conversations" });
    this.send = page.getByRole("button", { name: "Send", exact: true });
    this.stop = page.getByRole("button", { name: "Stop the answer" });
  }

  /** Sends a text and waits for the whole answer. */
  async ask(text: string): Promise<Locator> {
    await this.begin(text);
    await expect(this.send).toBeVisible();
    return this.answers.last();
  }

  async begin(text: string): Promise<void> {
    const before = await this.answers.count();
    await this.composer.fill(text);
    await this.composer.press("Enter");
    await expect(this.answers).toHaveCount(before + 1);
  }

  async start(): Promise<void> {
    await this.page.goto("/chat");
    await expect(this.page.getByRole("heading", { name: /Good to see you/ })).toBeVisible();
  }

  async conversationId(): Promise<string> {
    await this.page.waitForURL(/\/chat\/[0-9a-f-]{36}$/);
    return this.page.url().split("/").at(-1)!;
  }
}

/** The API, called as the user who is signed in on the page. */
export async function apiOf(page: Page) {
  const listing = page.waitForRequest(/\/api\/[^/]+\/conversations\?/);
  await page.goto("/chat");
  const [base, userId] = (await listing).url().split(/\/api\/|\/conversations/) as [string, string];
  const { token } = (await (await page.request.get("/api/auth/token")).json()) as { token: string };
  const headers = { Authorization: `Bearer ${token}` };
  return {
    userId,
    port: Number(new URL(base).port),
    call: (method: string, path: string, data?: unknown) =>
      page.request.fetch(`${base}/api/${path}`, { method, headers, data }),
  };
}
