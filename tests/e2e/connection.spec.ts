import { ADA, apiOf, Chat, expect, stateOf, test } from "./parley";
import { listenerOn } from "./processes";

test.use({ storageState: stateOf(ADA) });

/** Headless pages always have the focus, so this dispatches the event of a returning user. */
const comeBack = (chat: Chat) =>
  chat.page.evaluate(() => void window.dispatchEvent(new Event("focus")));

test("two tabs on one conversation lose no message", async ({ page, context }) => {
  const first = new Chat(page);
  await first.start();
  await first.ask("Hello from the first tab.");
  const second = new Chat(await context.newPage());
  await second.page.goto(`/chat/${await first.conversationId()}`);
  await expect(second.answers).toHaveCount(1);

  await first.begin("[offline: words=80, word=60] Take your time.");
  await second.composer.fill("Hello from the second tab.");
  await second.composer.press("Enter");
  await expect(second.messages).toContainText("Your message is kept.");
  await expect(second.questions).toHaveCount(3);
  const length = async () => (await second.answers.last().innerText()).length;
  const sofar = await length();
  await expect.poll(length).toBeGreaterThan(sofar);
  await second.page.screenshot({ path: "test-results/screenshots/two-tabs.png" });

  await second.page.getByRole("button", { name: "Send when it is finished" }).click();
  await expect(second.messages).toContainText("This is sent as soon as the answer is finished.");
  await expect(second.answers).toHaveCount(3);
  await expect(second.answers.last()).toContainText("Hello!");
  await expect(second.questions).toHaveCount(3);
  await expect(second.messages.getByRole("alert")).toHaveCount(0);

  await expect(first.answers).toHaveCount(2);
  await comeBack(first);
  await expect(first.answers).toHaveCount(3);
  await expect(first.questions.last()).toContainText("Hello from the second tab.");
});

test("a page that gets the focus again follows the answer of another tab", async ({
  page,
  context,
}) => {
  const first = new Chat(page);
  await first.start();
  await first.ask("Hello.");
  const second = new Chat(await context.newPage());
  await second.page.goto(`/chat/${await first.conversationId()}`);
  await expect(second.answers).toHaveCount(1);
  await first.begin("[offline: words=60, word=60] Take your time.");

  await comeBack(second);
  await expect(second.stop).toBeVisible();
  await expect(second.answers.last()).toContainText("quick brown fox");
  await expect(second.send).toBeVisible();
  expect(await second.answers.last().innerText()).toBe(await first.answers.last().innerText());
});

test("a message whose stream breaks before the turn starts is never shown twice", async ({
  page,
}) => {
  const api = await apiOf(page);
  const chat = new Chat(page);
  await chat.start();
  await chat.ask("Hello.");
  const conversation = `${api.userId}/conversations/${await chat.conversationId()}`;
  await page.route(/\/chat$/, async (route) => {
    if (route.request().method() !== "POST") return route.continue();
    // The server receives the message and continues, but its stream is lost.
    void route.fetch().catch(() => undefined);
    const isInProgress = async () => (await (await api.call("GET", conversation)).json()).running;
    await expect.poll(isInProgress).toBe(true);
    await route.abort();
  });
  const text = "[offline: words=60, word=60] Take your time.";
  await chat.composer.fill(text);
  await chat.composer.press("Enter");
  await expect(chat.answers).toHaveCount(2);
  await expect(chat.stop).toBeVisible();
  await expect(chat.questions.filter({ hasText: "Take your time." })).toHaveCount(1);
  await expect(chat.send).toBeVisible();
  await expect(chat.questions).toHaveCount(2);
  await expect(chat.answers.last()).toContainText("pale moon");
});

test("when the API is killed during a turn, the page shows that and recovers", async ({ page }) => {
  test.setTimeout(120_000); // The lease of a dead server expires after 30 s.
  const { port } = await apiOf(page);
  const chat = new Chat(page);
  await chat.start();
  await chat.begin("[offline: words=400, word=50] A long story, please.");
  // Long enough for the server to have stored a part of it.
  const length = async () => (await chat.answers.innerText()).length;
  await expect.poll(length).toBeGreaterThan(400);
  process.kill(listenerOn(port), "SIGKILL");

  await expect(page.getByText("The connection was lost").first()).toBeVisible();
  expect(await length()).toBeGreaterThan(400);
  await expect(chat.stop).toBeVisible();
  await page.screenshot({ path: "test-results/screenshots/connection-lost.png" });

  await page.reload();
  await expect(chat.answers).toContainText("The quick brown fox", { timeout: 30_000 });
  await expect(chat.stop).toBeVisible();
  await expect(chat.answers.getByRole("alert")).toContainText("interrupted", { timeout: 45_000 });
  await expect(chat.answers).toContainText("The quick brown fox");
  await expect(chat.questions).toHaveCount(1);

  await chat.messages.getByRole("button", { name: "Retry" }).click();
  await expect(chat.answers.getByRole("alert")).toHaveCount(0);
  await expect(chat.answers).toContainText("The quick brown fox");
  await chat.stop.click();
  await expect(chat.send).toBeVisible();
  await expect(chat.questions).toHaveCount(1);
  await expect(await chat.ask("Are you there?")).toContainText("Are you there?");
});
