import { test as base, expect, type Locator, type Page } from "@playwright/test";
import { randomInt } from "node:crypto";
import { linkTo } from "./mail";

export { expect };

export interface Person {
  name: string;
  email: string;
  password: string;
}

export const ADA = { name: "Ada", email: "ada@example.com", password: "analytical engine" };
export const GRACE = { name: "Grace", email: "grace@example.com", password: "nanoseconds wire" };
export const BOB = { name: "Bob", email: "bob@example.com", password: "canary in a coal mine" };

/** Marks tests that run against the development server as well. */
export const CORE = { tag: "@core" };

/** The file that keeps a person's session between tests. */
export const stateOf = (person: { name: string }) => `test-results/people/${person.name}.json`;

/** The header in which the server is told where a request comes from. */
export const ADDRESS = "x-tests-address";
const isLocal = (url: string) => ["localhost", "127.0.0.1"].includes(new URL(url).hostname);

/**
 * Every test also fails on an error in the page, a violated policy, or a request that leaves the machine.
 * `reachesChatKit` allows requests to ChatKit's host, which the test itself must answer.
 */
export const test = base.extend<{ reachesChatKit: boolean; address: string; watched: void }>({
  reachesChatKit: [false, { option: true }],
  address: async ({}, use) => use(`192.0.2.${randomInt(1, 255)}`),
  // Each test comes from an address of its own, because attempts are limited by address.
  watched: [
    async ({ page, address, reachesChatKit }, use) => {
      await comeFrom(page, address);
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

/** Only to the front end: the API would not allow the header. */
export async function comeFrom(page: Page, address: string) {
  await page.route("**/api/auth/**", (route) =>
    route.continue({ headers: { ...route.request().headers(), [ADDRESS]: address } }),
  );
}

export async function fillIn(page: Page, person: Partial<Person>) {
  if (person.name) await page.getByLabel("Name").fill(person.name);
  if (person.email) await page.getByLabel("E-mail").fill(person.email);
  if (person.password) await page.getByLabel("Password").fill(person.password);
}

export async function signIn(page: Page, person: Person) {
  await page.goto("/sign-in");
  await fillIn(page, { email: person.email, password: person.password });
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL("/chat");
}

/** From the form to the chat, by way of the mail where the address has to be confirmed. */
export async function signUp(page: Page, person: Person) {
  await page.goto("/sign-up");
  await fillIn(page, person);
  await page.getByRole("button", { name: "Create account" }).click();
  const checkMail = page.getByRole("heading", { name: "Check your mail" });
  const welcome = page.getByRole("heading", { name: `Good to see you, ${person.name}.` });
  await expect(checkMail.or(welcome)).toBeVisible();
  if (await welcome.isVisible()) return;
  await page.goto(await linkTo(person.email));
  await signIn(page, person);
}

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
