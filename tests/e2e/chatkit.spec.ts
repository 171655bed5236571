import { readFileSync } from "node:fs";
import type { Locator, Page, Request } from "@playwright/test";
import { expectNoViolations } from "./axe";
import { defineStandIn } from "./chatkit_stand_in";
import { ADA, apiOf, Chat, expect, stateOf, test } from "./parley";

const CDN = "https://cdn.platform.openai.com/**";
const SCRIPT = "https://cdn.platform.openai.com/deployments/chatkit/chatkit.js";

test.use({
  reachesChatKit: true,
  // Signed in, without a stored preference for one of the chats.
  storageState: async ({}, use) => {
    const { cookies } = JSON.parse(readFileSync(stateOf(ADA), "utf8"));
    await use({ cookies, origins: [] });
  },
});

const script = (body: string) => ({ contentType: "text/javascript", body });
const toggleOf = (page: Page) => page.getByRole("switch", { name: "ChatKit" });
const reasonOf = (page: Page) =>
  page.getByRole("status").filter({ hasText: "This is the built-in chat." });

/**
 * Expects the built-in chat well before the 8 s after which a hanging script fails. The time counts from the
 * request to ChatKit's host, because loading the page takes as long without ChatKit.
 */
async function expectFallbackSoon(page: Page) {
  const request = page.waitForRequest(SCRIPT);
  await page.goto("/chat", { waitUntil: "commit" });
  await request;
  await expect(new Chat(page).composer).toBeVisible({ timeout: 6_000 });
}

test.describe("when ChatKit's host cannot be reached", () => {
  test.beforeEach(({ page }) => page.route(CDN, (route) => route.abort()));

  test("the built-in chat is shown at once, works, and gives the reason", async ({ page }) => {
    const chat = new Chat(page);
    await expectFallbackSoon(page);
    await expect(reasonOf(page)).toContainText(
      "its script did not come from cdn.platform.openai.com. This is the built-in chat. " +
        "Operators: allow that host, or remove CHATKIT_DOMAIN_KEY.",
    );
    await expect(toggleOf(page)).not.toBeChecked();
    await expectNoViolations(page);
    await page.screenshot({ path: "test-results/screenshots/fallback-dark.png" });
    await page.emulateMedia({ colorScheme: "light" });
    await page.screenshot({ path: "test-results/screenshots/fallback.png" });

    await expect(await chat.ask("My name is Ada. What is my name?")).toContainText("Ada");
    const path = `/chat/${await chat.conversationId()}`;
    await page.getByRole("button", { name: "Dismiss" }).click();
    await expect(reasonOf(page)).toHaveCount(0);
    await expect(toggleOf(page)).toBeFocused();

    await page.reload({ waitUntil: "commit" });
    await expect(chat.answers).toHaveCount(1);
    await expect(page).toHaveURL(path);
    await expect(reasonOf(page)).toBeVisible();
  });

  test("everything fits on a phone", async ({ page }) => {
    await page.setViewportSize({ width: 360, height: 740 });
    const chat = new Chat(page);
    await chat.start();
    await expect(reasonOf(page)).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    await expect(chat.send).toBeInViewport({ ratio: 1 });
    await page.screenshot({ path: "test-results/screenshots/fallback-phone.png" });
  });

  test("a user who has chosen the built-in chat gets it without a notice or a request to the host", async ({
    page,
  }) => {
    await page.addInitScript(() => localStorage.setItem("parley.chat", "built-in"));
    const requested: string[] = [];
    page.on("request", (request) => void requested.push(request.url()));
    await new Chat(page).start();
    await expect(toggleOf(page)).not.toBeChecked();
    await expect(reasonOf(page)).toHaveCount(0);
    expect(requested).not.toContain(SCRIPT);
  });
});

test.describe("when the script does not work", () => {
  test("a script that defines no element fails at once", async ({ page }) => {
    await page.route(CDN, (route) => route.fulfill(script("")));
    await expectFallbackSoon(page);
    await expect(reasonOf(page)).toContainText("was not ChatKit");
  });

  test("a script that hangs fails after 8 seconds", async ({ page }) => {
    await page.clock.install();
    await page.route(CDN, () => new Promise(() => undefined));
    const request = page.waitForRequest(SCRIPT);
    await page.goto("/chat");
    await request;
    await expect(new Chat(page).composer).toHaveCount(0);
    await page.clock.fastForward(8_000);
    await expect(reasonOf(page)).toContainText("within 8 seconds");
    await expect(new Chat(page).composer).toBeVisible();
  });

  test("an element that never becomes ready fails after 12 seconds", async ({ page }) => {
    await page.clock.install();
    const silent =
      "customElements.define('openai-chatkit', class extends HTMLElement { setOptions() {} })";
    await page.route(CDN, (route) => route.fulfill(script(silent)));
    const came = page.waitForResponse(SCRIPT);
    await page.goto("/chat");
    await came;
    await page.waitForFunction(() => customElements.get("openai-chatkit"));
    await expect(new Chat(page).composer).toHaveCount(0);
    await page.clock.fastForward(12_000);
    await expect(reasonOf(page)).toContainText("silent for 12 seconds");
    await expect(new Chat(page).composer).toBeVisible();
  });
});

/** The stand-in for ChatKit on a page. */
class ChatKit {
  readonly element: Locator;
  readonly composer: Locator;
  readonly send: Locator;
  readonly stop: Locator;
  readonly questions: Locator;
  readonly answers: Locator;
  readonly notice: Locator;

  constructor(readonly page: Page) {
    this.element = page.locator("openai-chatkit");
    this.composer = page.getByRole("textbox", { name: "Message ChatKit" });
    this.send = page.getByRole("button", { name: "Send to ChatKit" });
    this.stop = page.getByRole("button", { name: "Stop ChatKit" });
    const thread = page.getByRole("log", { name: "Thread" });
    this.questions = thread.locator("[data-type=user_message]");
    this.answers = thread.locator("[data-type=assistant_message]");
    this.notice = this.element.getByRole("status");
  }

  async open(path = "/chat") {
    await this.page.goto(path);
    await expect(this.composer).toBeVisible();
  }

  async begin(text: string): Promise<Request> {
    const request = this.page.waitForRequest("**/api/chatkit");
    await this.composer.fill(text);
    await this.send.click();
    return request;
  }

  async ask(text: string): Promise<Request> {
    const request = await this.begin(text);
    await expect(this.answers.last()).toContainText(/\S/);
    await expect(this.stop).toBeHidden();
    return request;
  }
}

test.describe("with a stand-in for ChatKit's element", () => {
  test.beforeEach(async ({ page }) => {
    const frame = { contentType: "text/html", body: "<!doctype html><title>A stand-in</title>" };
    await page.route(CDN, (route) => route.fulfill(frame));
    await page.route(SCRIPT, (route) => route.fulfill(script(`(${defineStandIn})()`)));
  });

  test("a turn has a token, a key of its own and the page's address", async ({ page }) => {
    const kit = new ChatKit(page);
    await kit.open();
    await expect(toggleOf(page)).toBeChecked();
    await expect(page.getByRole("heading", { name: "Good to see you, Ada." })).toBeVisible();
    const first = await kit.ask("Hello! My name is Ada.");
    const id = await new Chat(page).conversationId();
    const second = await kit.ask("What is my name?");
    await expect(kit.answers.last()).toContainText("Your name is Ada.");
    for (const request of [first, second]) {
      expect(request.headers()).toMatchObject({
        authorization: expect.stringMatching(/^Bearer \S+\.\S+\.\S+$/),
        "idempotency-key": expect.stringMatching(/^\S+$/),
      });
    }
    expect(second.headers()["idempotency-key"]).not.toBe(first.headers()["idempotency-key"]);
    expect(second.postDataJSON().params.thread_id).toBe(id);
    const entry = new Chat(page).conversations.locator(`a[href="/chat/${id}"]`);
    await expect(entry).toHaveAttribute("aria-current", "page");
    await expect(entry).toHaveText(/Hello/);
    await expectNoViolations(page);

    await page.reload();
    await expect(kit.answers).toHaveCount(2);
    await page.screenshot({ path: "test-results/screenshots/stand-in-dark.png" });
    await page.emulateMedia({ colorScheme: "light" });
    await expect(kit.element).toHaveAttribute("data-scheme", "light");
    await page.screenshot({ path: "test-results/screenshots/stand-in.png" });
    await page.setViewportSize({ width: 360, height: 740 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    await page.screenshot({ path: "test-results/screenshots/stand-in-phone.png" });
  });

  test("its theme follows the page's color scheme", async ({ page }) => {
    const kit = new ChatKit(page);
    await kit.open();
    for (const colorScheme of ["dark", "light"] as const) {
      await page.emulateMedia({ colorScheme });
      await expect(kit.element).toHaveAttribute("data-scheme", colorScheme);
      const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      await expect(kit.element).toHaveCSS("background-color", background);
    }
  });

  test("a conversation started in either chat can be continued in the other", async ({ page }) => {
    const kit = new ChatKit(page);
    const chat = new Chat(page);
    await kit.open();
    await kit.ask("My favourite number is 42.");
    const id = await chat.conversationId();

    await toggleOf(page).click();
    await expect(chat.messages).toContainText("My favourite number is 42.");
    await expect(page).toHaveURL(`/chat/${id}`);
    await expect(await chat.ask("What is my favourite number?")).toContainText("is 42.");
    await page.reload();
    await expect(chat.answers).toHaveCount(2); // The choice is kept.

    await toggleOf(page).press("Enter");
    await expect(toggleOf(page)).toBeFocused();
    await expect(kit.answers).toHaveCount(2);
    await kit.ask("And once more: what is my favourite number?");
    await expect(kit.answers.last()).toContainText("is 42.");

    await page.getByRole("button", { name: "New conversation", exact: true }).click();
    await expect(kit.answers).toHaveCount(0);
    await toggleOf(page).click();
    await chat.ask("My town is London.");
    const second = await chat.conversationId();
    await toggleOf(page).click();
    await kit.ask("What is my town?");
    await expect(kit.answers.last()).toContainText("Your town is London.");
    await expect(page).toHaveURL(`/chat/${second}`);
  });

  test("Stop cancels the turn itself", async ({ page }) => {
    const kit = new ChatKit(page);
    await kit.open();
    await kit.begin("[offline: words=400, word=50] Tell me everything.");
    await expect(kit.answers).toContainText("seven wizards");
    const cancelled = page.waitForResponse(/\/cancel$/);
    await kit.stop.click();
    expect((await cancelled).status()).toBe(200);
    await toggleOf(page).click();
    await expect(new Chat(page).answers).toContainText("You stopped this answer.");
    await expect(new Chat(page).answers).toContainText("seven wizards");
  });

  test("a turn continues when another conversation or the other chat is opened", async ({
    page,
  }) => {
    const kit = new ChatKit(page);
    const chat = new Chat(page);
    const requested: string[] = [];
    page.on("request", (request) => void requested.push(request.url()));
    await kit.open();
    await kit.begin("[offline: words=60, word=50] One.");
    await expect(kit.answers).toContainText("quick brown");
    const first = await chat.conversationId();
    await page.getByRole("button", { name: "New conversation", exact: true }).click();
    await expect(page).toHaveURL("/chat");

    await kit.begin("[offline: words=60, word=50] Two.");
    await expect(kit.answers).toContainText("quick brown");
    const second = await chat.conversationId();
    await page.getByRole("button", { name: "New thread" }).click();
    await expect(page).toHaveURL("/chat");

    await kit.begin("[offline: words=60, word=50] Three.");
    await expect(kit.answers).toContainText("quick brown");
    const third = await chat.conversationId();
    await toggleOf(page).click();
    for (const id of [third, second, first]) {
      await chat.conversations.locator(`a[href="/chat/${id}"]`).click();
      await expect(chat.send).toBeVisible();
      await expect(chat.answers.last().getByRole("button", { name: "Copy" })).toBeVisible();
      await expect(chat.messages).not.toContainText("You stopped this answer.");
    }
    expect(requested.filter((url) => url.endsWith("/cancel"))).toEqual([]);
  });

  test("the draft moves to ChatKit", async ({ page }) => {
    const kit = new ChatKit(page);
    const chat = new Chat(page);
    await kit.open();
    await toggleOf(page).click();
    await chat.composer.fill("Half a sentence");
    await toggleOf(page).click();
    await expect(kit.composer).toHaveValue("Half a sentence");
    await toggleOf(page).click();
    await expect(chat.composer).toHaveValue("");
  });

  test("an answer can be rated and regenerated", async ({ page }) => {
    const kit = new ChatKit(page);
    const { call, userId } = await apiOf(page);
    await kit.open();
    await kit.ask("Hello.");
    const id = await new Chat(page).conversationId();
    await page.getByRole("button", { name: "Good response" }).click();
    await expect(kit.notice).toHaveText("Thank you");
    const messages = async () =>
      (await (await call("GET", `${userId}/conversations/${id}/messages`)).json()).data;
    expect((await messages()).at(-1).feedback).toMatchObject({ rating: "up" });

    await page.getByRole("button", { name: "Retry with ChatKit" }).click();
    await expect(kit.stop).toBeHidden();
    await expect(kit.answers).toHaveCount(1);
    await toggleOf(page).click();
    await expect(new Chat(page).answers.getByText("2 of 2")).toBeVisible();
  });

  test("the selected model answers", async ({ page }) => {
    const kit = new ChatKit(page);
    const { call, userId } = await apiOf(page);
    await kit.open();
    const models = page.getByRole("combobox", { name: "Model" });
    await expect(models).toHaveValue("offline");
    await models.selectOption("offline-2");
    await kit.ask("Hello.");
    const id = await new Chat(page).conversationId();
    const listed = await (await call("GET", `${userId}/conversations/${id}/messages`)).json();
    expect(listed.data.at(-1).usage.model).toBe("offline-2");
  });

  test("ChatKit's history and the page's list stay in step", async ({ page }) => {
    const kit = new ChatKit(page);
    const { conversations } = new Chat(page);
    const entry = (id: string) => conversations.locator(`a[href="/chat/${id}"]`);
    await kit.open();
    await kit.ask("Something about rivers");
    const rivers = await new Chat(page).conversationId();
    await page.getByRole("button", { name: "New thread" }).click();
    await expect(page).toHaveURL("/chat");
    await kit.ask("Something about hills");
    const hills = await new Chat(page).conversationId();
    await expect(entry(hills)).toHaveText(/hills/);

    await page.getByRole("button", { name: "History" }).click();
    await page.getByRole("button", { name: /^Open Something about rivers/ }).click();
    await expect(page).toHaveURL(`/chat/${rivers}`);
    await expect(entry(rivers)).toHaveAttribute("aria-current", "page");
    await expect(kit.questions).toHaveText("Something about rivers");
    await page.goBack();
    await expect(kit.questions).toHaveText("Something about hills");
    await entry(rivers).click();
    await expect(kit.questions).toHaveText("Something about rivers");

    await page.getByRole("button", { name: "History" }).click();
    await page.getByRole("button", { name: /^Retitle Something about rivers/ }).click();
    await expect(entry(rivers)).toHaveText("From ChatKit");
    await expect(page.getByRole("heading", { name: "From ChatKit", level: 1 })).toBeVisible();
    await page.getByRole("button", { name: "Remove From ChatKit" }).first().click();
    await expect(entry(rivers)).toHaveCount(0);
    await expect(page).toHaveURL("/chat");
  });

  test("a refused turn shows the message of the problem", async ({ page, browser }) => {
    const others = await browser.newContext({ storageState: stateOf(ADA) });
    const other = new Chat(await others.newPage());
    await other.start();
    await other.begin("[offline: words=1000, word=50] Take your time.");
    const id = await other.conversationId();

    const kit = new ChatKit(page);
    await kit.open(`/chat/${id}`);
    await expect(kit.questions).toHaveCount(1);
    await kit.begin("And me?");
    await expect(kit.notice).toContainText("Wait for the answer to finish");
    await other.stop.click();
    await expect(other.send).toBeVisible();
    await others.close();
  });
});
