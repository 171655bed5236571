import type { Page } from "@playwright/test";
import { ADA, apiOf, Chat, CORE, expect, stateOf, test } from "./parley";
import { listenerOn } from "./processes";

test.use({ storageState: stateOf(ADA) });

const postcard = (to: string, text = "Wish you were here.") =>
  `use the tool send_postcard with ${JSON.stringify({ to, text })}`;

const comeBack = (page: Page) => page.evaluate(() => void window.dispatchEvent(new Event("focus")));

/** A chat whose answers can wait for approval. */
class ApprovalChat extends Chat {
  readonly request = this.messages.getByRole("region", {
    name: "The assistant waits for your decision",
  });
  readonly approve = this.messages.getByRole("button", { name: "Approve: Send postcard" });
  readonly reject = this.messages.getByRole("button", { name: "Reject: Send postcard" });
  readonly calls = this.answers.getByRole("list", { name: "Tools used" }).getByRole("listitem");

  async askToWait(text: string) {
    await this.ask(text);
    await expect(this.request).toBeVisible();
  }
}

async function open(page: Page): Promise<ApprovalChat> {
  const chat = new ApprovalChat(page);
  await chat.start();
  return chat;
}

test("a tool call is shown, and made when it is approved", CORE, async ({ page }) => {
  const chat = await open(page);
  await chat.askToWait(postcard("Grace", "First line\nand <b>second</b> line"));
  await expect(chat.request).toContainText("Send postcard");
  await expect(chat.request).toContainText("Grace");
  await expect(chat.request.getByText("First line\nand <b>second</b> line")).toBeVisible();
  await expect(page.getByRole("status")).toHaveText(
    "The assistant waits for your decision: Send postcard.",
  );
  await expect(chat.composer).toBeFocused();
  await page.screenshot({ path: "test-results/screenshots/approval.png" });

  await chat.approve.click();
  await expect(chat.answers).toContainText("The postcard to Grace is on its way.");
  await expect(chat.request).toHaveCount(0);
  await expect(chat.calls).toHaveText(/^Send postcard Done \d+ ms$/);
  await expect(chat.answers).toHaveCount(1);
  await expect(chat.composer).toBeFocused();
  await expect(page.getByRole("status")).toContainText("The postcard to Grace is on its way.");
  await page.screenshot({ path: "test-results/screenshots/approved.png" });

  await page.reload();
  await expect(chat.calls).toHaveText(/^Send postcard Done \d+ ms$/);
  await expect(chat.answers).toContainText("The postcard to Grace is on its way.");
});

test("a rejected tool call is not made, and the answer continues without it", async ({ page }) => {
  const chat = await open(page);
  await chat.askToWait(postcard("Grace"));
  await page.reload();
  await expect(chat.request).toContainText("Wish you were here.");
  await chat.reject.click();
  await expect(chat.calls).toHaveText("Send postcard Not run");
  await expect(chat.send).toBeVisible();
  await expect(chat.answers).not.toContainText("on its way");
  await expect(chat.answers).toHaveCount(1);
  await page.reload();
  await expect(chat.calls).toHaveText("Send postcard Not run");
});

test("a decision can be made by keyboard", async ({ page }) => {
  const chat = await open(page);
  await expect(chat.composer).toBeFocused();
  await page.keyboard.type(postcard("Grace"));
  await page.keyboard.press("Enter");
  await expect(chat.request).toBeVisible();
  await expect(chat.composer).toBeFocused();
  for (let steps = 0; steps < 12; steps++) {
    await page.keyboard.press("Shift+Tab");
    if (await chat.reject.evaluate((button) => button === document.activeElement)) break;
  }
  await expect(chat.reject).toBeFocused();
  await page.keyboard.press("Shift+Tab");
  await expect(chat.approve).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(chat.calls).toContainText("Done");
  await expect(chat.composer).toBeFocused();

  const summary = chat.calls.locator("summary");
  for (let steps = 0; steps < 12; steps++) {
    await page.keyboard.press("Shift+Tab");
    if (await summary.evaluate((element) => element === document.activeElement)) break;
  }
  await expect(summary).toBeFocused();
  await page.keyboard.press("Enter");
  const result = chat.calls.getByRole("group", { name: "Result" });
  await expect(result).toContainText("on its way");
  await page.keyboard.press("Space");
  await expect(result).toHaveCount(0);
});

test("a turn may wait more than once", async ({ page }) => {
  const chat = await open(page);
  await chat.askToWait(`${postcard("Grace")} then ${postcard("Bob")}`);
  await expect(chat.request).toContainText("Grace");
  await chat.approve.click();
  await expect(chat.request).toContainText("Bob");
  await expect(chat.calls).toHaveText(/^Send postcard Done \d+ ms$/);
  await expect(page.getByRole("status")).toHaveText(/waits for your decision: Send postcard\.$/);
  await page.reload();
  await expect(chat.request).toContainText("Bob");
  await chat.approve.click();
  await expect(chat.answers).toContainText("The postcard to Bob is on its way.");
  await expect(chat.calls).toHaveText([/Done/, /Done/]);
});

test("one decision applies to all tool calls that wait", async ({ page }) => {
  const chat = await open(page);
  await chat.ask(`${postcard("Grace")} and ${postcard("Bob")}`);
  await expect(chat.request).toContainText(/Grace.*Bob/s);
  await chat.messages
    .getByRole("button", { name: "Approve: Send postcard, Send postcard" })
    .click();
  await expect(chat.calls).toHaveText([/Done/, /Done/]);
});

test("a decision can be made after the page was closed and the API restarted", async ({ page }) => {
  test.setTimeout(120_000); // The API has to start again.
  const { port } = await apiOf(page);
  const chat = await open(page);
  await chat.askToWait(postcard("Grace"));
  const id = await chat.conversationId();
  await page.goto("about:blank");
  process.kill(listenerOn(port), "SIGKILL");
  await page.goto(`/chat/${id}`);
  await expect(chat.request).toBeVisible({ timeout: 60_000 });
  await chat.approve.click();
  await expect(chat.answers).toContainText("The postcard to Grace is on its way.");
});

test("a decision that cannot be sent is reported, and can be repeated", async ({ page }) => {
  const chat = await open(page);
  await chat.askToWait(postcard("Grace"));
  await page.route(/\/approval$/, (route) => route.abort());
  await chat.approve.click();
  await expect(page.getByRole("alert").filter({ hasText: "cannot be reached" })).toBeVisible();
  await expect(chat.request).toBeVisible();
  await expect(chat.approve).toBeFocused();
  await page.screenshot({ path: "test-results/screenshots/approval-lost.png" });
  await page.unroute(/\/approval$/);
  await chat.approve.click();
  await expect(chat.answers).toContainText("The postcard to Grace is on its way.");
  await expect(page.getByRole("alert").filter({ hasText: /./ })).toHaveCount(0);
});

test("a decision whose reply is lost turns out to have arrived", async ({ page }) => {
  const chat = await open(page);
  await chat.askToWait(postcard("Grace"));
  await page.route(/\/approval$/, async (route) => {
    if (route.request().method() !== "POST") return route.continue();
    await route.fetch();
    await route.abort();
  });
  await chat.approve.click();
  await expect(chat.answers).toContainText("The postcard to Grace is on its way.");
  await expect(chat.calls).toContainText("Done");
  await expect(page.getByRole("alert").filter({ hasText: /./ })).toHaveCount(0);
});

test("a decision made in another tab stands", async ({ page, context }) => {
  const first = await open(page);
  await first.askToWait(postcard("Grace"));
  const second = new ApprovalChat(await context.newPage());
  await second.page.goto(page.url());
  await second.reject.click();
  await expect(second.calls).toHaveText("Send postcard Not run");
  await expect(second.send).toBeVisible();

  await page.bringToFront();
  await first.approve.click();
  await expect(first.calls).toHaveText("Send postcard Not run");
  await expect(first.answers).not.toContainText("on its way");
});

test("a decision made while another tab's is being carried out is refused", async ({
  page,
  context,
}) => {
  const first = await open(page);
  await first.askToWait(`[offline: words=140, word=60] ${postcard("Grace")}`);
  const second = new ApprovalChat(await context.newPage());
  await second.page.goto(page.url());
  await second.approve.click();
  await expect(second.answers).toContainText("quick brown fox");

  await page.bringToFront();
  await first.approve.click();
  await expect(
    page.getByRole("alert").filter({ hasText: "An answer is still being written here" }),
  ).toBeVisible();
  await expect(first.stop).toBeVisible();
  await expect(first.send).toBeVisible();
  await expect(first.calls).toContainText("Done");
  await expect(page.getByRole("alert").filter({ hasText: /./ })).toHaveCount(0);
});

test("a page that gets the focus again shows a decision made elsewhere", async ({
  page,
  context,
}) => {
  const first = await open(page);
  await first.askToWait(postcard("Grace"));
  const second = new ApprovalChat(await context.newPage());
  await second.page.goto(page.url());
  await second.approve.click();
  await expect(second.calls).toContainText("Done");
  await page.bringToFront();
  await comeBack(page);
  await expect(first.calls).toContainText("Done");
  await expect(first.request).toHaveCount(0);
});

test("no decision is possible in a deleted conversation", async ({ page }) => {
  const { userId, call } = await apiOf(page);
  const chat = await open(page);
  await chat.askToWait(postcard("Grace"));
  await call("DELETE", `${userId}/conversations/${await chat.conversationId()}`);
  await chat.approve.click();
  await expect(
    page.getByRole("heading", { name: "This conversation does not exist" }),
  ).toBeVisible();
});

test("sending a new message rejects the pending tool call", async ({ page }) => {
  const chat = await open(page);
  await chat.askToWait(postcard("Grace"));
  await expect(chat.request).toContainText("Writing something else counts as a rejection.");
  await chat.ask("Say exactly: never mind");
  for (const when of ["at once", "after a reload"]) {
    await test.step(when, async () => {
      await expect(chat.answers).toHaveCount(2);
      await expect(chat.request).toHaveCount(0);
      await expect(chat.answers.first()).toContainText("Send postcard Not run");
      await expect(chat.answers.first()).toContainText(
        "You went on without deciding, so this was not done: Send postcard.",
      );
      await expect(chat.answers.last()).toContainText("never mind");
    });
    await page.screenshot({ path: "test-results/screenshots/undecided.png" });
    await page.reload();
  }
});

test.describe("on a phone", () => {
  test.use({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });

  test("a decision fits", async ({ page }) => {
    const chat = await open(page);
    await chat.askToWait(
      `use the tool break_down then ${postcard("Grace", "A long greeting from the seaside. ".repeat(40))}`,
    );
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    await expect(chat.approve).toBeInViewport({ ratio: 1 });
    await expect(chat.reject).toBeInViewport({ ratio: 1 });
    for (const button of [chat.approve, chat.reject]) {
      expect((await button.boundingBox())!.height).toBeGreaterThanOrEqual(44);
    }
    await page.screenshot({ path: "test-results/screenshots/phone-approval.png" });
    await chat.calls.locator("summary").tap();
    await expect(chat.calls.getByRole("group", { name: "Result" })).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    await page.screenshot({ path: "test-results/screenshots/phone-tool.png" });
    await chat.approve.tap();
    await expect(chat.answers).toContainText("on its way");
  });
});
