import type { Locator } from "@playwright/test";
import { expectNoViolations } from "./axe";
import { ADA, Chat, expect, stateOf, test } from "./parley";

test.use({ storageState: stateOf(ADA) });

test("an edited question replaces all later messages, and the old question can still be read", async ({
  page,
}) => {
  const chat = new Chat(page);
  await chat.start();
  await chat.ask("My town is London.");
  await expect(await chat.ask("What is my town?")).toContainText("London");

  await chat.questions.first().getByRole("button", { name: "Edit the message" }).click();
  const editor = page.getByRole("textbox", { name: "Edit your message" });
  await expect(editor).toBeFocused();
  await editor.fill("My town is Paris.");
  await page.screenshot({ path: "test-results/screenshots/edit.png" });
  await page.getByRole("button", { name: "Send", exact: true }).first().click();
  await expect(chat.answers).toHaveCount(1);
  await expect(chat.answers).toContainText("your town is Paris");
  await expect(chat.questions).toHaveCount(1);
  await expect(await chat.ask("What is my town?")).toContainText("Paris");

  for (const when of ["at once", "after a reload"]) {
    await test.step(when, async () => {
      const question = chat.questions.first();
      await expect(question).toContainText("2 of 2");
      await question.getByRole("button", { name: "Previous version" }).click();
      await expect(question).toContainText("1 of 2, an earlier one");
      await expect(question).toContainText("My town is London.");
      await expect(question.getByRole("button", { name: "Edit the message" })).toHaveCount(0);
      await page.screenshot({ path: "test-results/screenshots/version.png" });
      await question.getByRole("button", { name: "Next version" }).click();
      await expect(question).toContainText("My town is Paris.");
      await expect(question).not.toContainText("an earlier one");
      await expect(question.getByRole("button", { name: "Edit the message" })).toBeVisible();
    });
    await page.reload();
  }
});

test("the answer to an edited message stays in view while it grows", async ({ page }) => {
  const chat = new Chat(page);
  await chat.start();
  await chat.ask("Please write a long answer about lighthouses");
  await chat.questions.getByRole("button", { name: "Edit the message" }).click();
  const editor = page.getByRole("textbox", { name: "Edit your message" });
  await editor.fill("[offline: words=600, word=1] Tell me everything.");
  await editor.press("Enter");
  await expect(chat.answers).toContainText("seven wizards");
  await expect(chat.send).toBeVisible();
  await expect(
    chat.answers.getByRole("button", { name: "Regenerate the answer" }),
  ).toBeInViewport();
});

test("a regenerated answer replaces all later messages, and both answers can be read", async ({
  page,
}) => {
  const chat = new Chat(page);
  await chat.start();
  await chat.ask(`[offline: incomplete=max_output_tokens, first=1, key=${Date.now()}] Hello there`);
  const first = await chat.answers.innerText();
  await chat.ask("And another thing");
  await expect(chat.answers).toHaveCount(2);

  await chat.answers.first().getByRole("button", { name: "Regenerate the answer" }).click();
  await expect(chat.answers).toHaveCount(1);
  await expect(chat.questions).toHaveCount(1);
  await expect(chat.send).toBeVisible();
  await expect(chat.answers).toContainText("2 of 2");
  await chat.answers.getByRole("button", { name: "Previous version" }).click();
  await expect(chat.answers).toContainText(first.split("\n")[0]!);
  await expect(chat.answers).toContainText("1 of 2, an earlier one");
  await chat.ask("Go on");
  await expect(chat.answers).toHaveCount(2);
});

test("a failed edit or regeneration changes nothing, and keeps the text", async ({ page }) => {
  const chat = new Chat(page);
  await chat.start();
  await chat.ask("My colour is green.");
  await page.route(/\/(edit|regenerate)$/, (route) => route.abort());
  await chat.answers.getByRole("button", { name: "Regenerate the answer" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "cannot be reached" })).toBeVisible();
  await expect(chat.answers).toContainText("your colour is green");

  await chat.questions.getByRole("button", { name: "Edit the message" }).click();
  const editor = page.getByRole("textbox", { name: "Edit your message" });
  await editor.fill("My colour is red.");
  await editor.press("Enter");
  await expect(chat.questions.getByRole("alert")).toContainText("cannot be reached");
  await expect(editor).toHaveValue("My colour is red.");
  await expect(chat.answers).toContainText("your colour is green");

  await page.unroute(/\/(edit|regenerate)$/);
  await editor.press("Enter");
  await expect(chat.answers).toContainText("your colour is red");
  await expect(chat.questions).toHaveCount(1);
});

test("a message and an answer can be copied", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const chat = new Chat(page);
  await chat.start();
  await chat.ask("Say exactly: some **bold** words");
  await chat.answers.getByRole("button", { name: "Copy the answer" }).click();
  await expect(chat.answers.getByRole("button", { name: "Copied" })).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("some **bold** words");
});

test("a rating is kept, can be changed and removed, and reverts if it cannot be stored", async ({
  page,
}) => {
  const chat = new Chat(page);
  await chat.start();
  await chat.ask("My river is the Thames.");
  const good = chat.answers.getByRole("button", { name: "Good answer" });
  const bad = chat.answers.getByRole("button", { name: "Bad answer" });
  const press = async (button: Locator) => {
    const stored = page.waitForResponse(
      (response) =>
        response.url().endsWith("/feedback") && response.request().method() !== "OPTIONS",
    );
    await button.press("Enter");
    expect((await stored).ok()).toBe(true);
  };
  const expectPressed = async (isGood: boolean, isBad: boolean) => {
    await expect(good).toHaveAttribute("aria-pressed", String(isGood));
    await expect(bad).toHaveAttribute("aria-pressed", String(isBad));
  };
  await expectPressed(false, false);

  await press(good);
  await expectPressed(true, false);
  await page.reload();
  await expectPressed(true, false);
  await expectNoViolations(page);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: `test-results/screenshots/rating-${colorScheme}.png` });
  }

  await press(bad);
  await expectPressed(false, true);
  await page.route(/\/feedback$/, (route) => route.abort());
  await bad.click();
  await expect(page.getByRole("alert").filter({ hasText: "cannot be reached" })).toBeVisible();
  await expectPressed(false, true);
  await page.unroute(/\/feedback$/);

  await press(bad);
  await expectPressed(false, false);
  await expect(page.getByRole("main").getByRole("alert")).toHaveCount(0);
  await page.reload();
  await expectPressed(false, false);
});
