import { expectNoViolations } from "./axe";
import { ADA, Chat, expect, stateOf, test } from "./parley";

test.describe("signed out", () => {
  for (const path of [
    "/sign-in",
    "/sign-in?verified=yes&error=TOKEN_EXPIRED",
    "/sign-up",
    "/forgot-password",
    "/reset-password?token=none",
    "/no-such-page",
  ]) {
    test(`${path} has no violations`, async ({ page }) => {
      await page.goto(path);
      await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
      await expectNoViolations(page);
    });
  }
});

test.describe("signed in", () => {
  test.use({ storageState: stateOf(ADA) });

  test("the empty chat has no violations", async ({ page }) => {
    await new Chat(page).start();
    await expectNoViolations(page);
  });

  test("a conversation with all kinds of markdown has no violations", async ({ page }) => {
    const chat = new Chat(page);
    await chat.start();
    await chat.ask("Please write a long answer about rivers");
    await expect(chat.messages.getByRole("table")).toBeVisible();
    await expectNoViolations(page);
    await page.screenshot({ path: "test-results/screenshots/dark.png" });

    await chat.conversations
      .getByRole("button", { name: /^Delete/ })
      .first()
      .focus();
    await page.keyboard.press("Enter");
    await expect(page.getByRole("dialog")).toBeVisible();
    await expectNoViolations(page);
  });

  test("a failed answer has no violations", async ({ page }) => {
    const chat = new Chat(page);
    await chat.start();
    await chat.ask("[offline: error=server_error] Fail.");
    await expect(chat.messages.getByRole("alert")).toBeVisible();
    await expectNoViolations(page);
  });

  test("editing and earlier versions have no violations", async ({ page }) => {
    const chat = new Chat(page);
    await chat.start();
    await chat.ask("One");
    await chat.answers.getByRole("button", { name: "Regenerate the answer" }).click();
    await expect(chat.answers).toContainText("2 of 2");
    await chat.answers.getByRole("button", { name: "Previous version" }).click();
    await expect(chat.answers).toContainText("an earlier one");
    await chat.questions.getByRole("button", { name: "Edit the message" }).click();
    await expectNoViolations(page);
  });

  test("expanded tool calls and one that waits for approval have no violations", async ({
    page,
  }) => {
    const chat = new Chat(page);
    await chat.start();
    await chat.ask(
      'use the tool break_down and use the tool fetch_a_page then use the tool send_postcard with {"to": "Bob", "text": "Hello"}',
    );
    await expect(chat.messages.getByRole("button", { name: "Approve" })).toBeVisible();
    for (const name of ["Break down", "Fetch a page"]) {
      await chat.answers.getByText(name, { exact: true }).click();
    }
    await expect(chat.answers.getByRole("group", { name: "Result" })).toHaveCount(2);
    await expectNoViolations(page);
    await page.screenshot({ path: "test-results/screenshots/approval-dark.png" });
    await chat.messages.getByRole("button", { name: "Reject" }).click();
    await expect(chat.answers).toContainText("Not run");
    await expect(chat.send).toBeVisible();
    await expectNoViolations(page);
  });

  test("a held message has no violations", async ({ page, context }) => {
    const chat = new Chat(page);
    await chat.start();
    await chat.ask("One");
    const other = new Chat(await context.newPage());
    await other.page.goto(page.url());
    await expect(other.answers).toHaveCount(1);
    await other.begin("[offline: words=1000, word=50] Take your time.");
    await page.bringToFront(); // A background page is not painted, and axe would wait forever.
    await chat.composer.fill("Two");
    await chat.composer.press("Enter");
    await expect(chat.messages).toContainText("Your message is kept.");
    await expectNoViolations(page);
    await other.stop.click();
    await expect(other.send).toBeVisible();
  });

  test("the page of a conversation that does not exist has no violations", async ({ page }) => {
    await page.goto("/chat/01890000-0000-7000-8000-000000000000");
    await expect(
      page.getByRole("heading", { name: "This conversation does not exist" }),
    ).toBeVisible();
    await expectNoViolations(page);
  });

  test("the drawer of a phone has no violations", async ({ page }) => {
    await page.setViewportSize({ width: 360, height: 740 });
    await new Chat(page).start();
    await page.getByRole("button", { name: "Open the list of conversations" }).click();
    await expect(
      page.getByRole("button", { name: "Close the list of conversations" }),
    ).toBeFocused();
    await expectNoViolations(page);
  });
});
