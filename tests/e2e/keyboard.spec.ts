import type { Locator, Page } from "@playwright/test";
import { ADA, Chat, expect, stateOf, test } from "./parley";

test.use({ storageState: stateOf(ADA) });

/** Presses Tab until the target has the focus, which must be visible at every step. */
async function tabTo(page: Page, target: Locator, key: "Tab" | "Shift+Tab" = "Tab") {
  for (let steps = 0; steps < 60; steps++) {
    await page.keyboard.press(key);
    if (await page.evaluate(() => document.activeElement === document.body)) continue;
    expect(await page.evaluate(isFocusVisible), await focused(page)).toBe(true);
    if (await target.evaluate((element) => element === document.activeElement)) return;
  }
  throw new Error(`Tab does not lead to ${String(target)}`);
}

function isFocusVisible(): boolean {
  const element = document.activeElement!;
  const { width } = element.getBoundingClientRect();
  const outlined = [element, element.parentElement!].some(
    (one) => getComputedStyle(one).outlineStyle !== "none",
  );
  return outlined && width > 0;
}

const focused = (page: Page) =>
  page.evaluate(() => document.activeElement!.outerHTML.slice(0, 120));

test("the whole chat can be used by keyboard", async ({ page }) => {
  const chat = new Chat(page);
  await chat.start();
  await expect(chat.composer).toBeFocused();
  await page.keyboard.type("One line");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("and another");
  await page.keyboard.press("Enter");
  await expect(chat.messages.getByText("One line\nand another", { exact: true })).toBeVisible();
  await expect(chat.send).toBeVisible();
  await expect(chat.composer).toBeFocused();
  await expect(page.getByRole("status")).toContainText("One line and another");

  const skip = page.getByRole("link", { name: "Skip to the conversation" });
  await tabTo(page, skip);
  await expect(skip).toBeInViewport({ ratio: 1 });
  await page.keyboard.press("Enter");
  await expect(page.getByRole("main")).toBeFocused();
  await tabTo(page, chat.composer);

  const id = await chat.conversationId();
  const row = chat.conversations
    .getByRole("listitem")
    .filter({ has: page.locator(`a[href="/chat/${id}"]`) });
  const rename = row.getByRole("button", { name: /^Rename/ });
  await tabTo(page, rename);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("textbox", { name: "Title" })).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await expect(rename).toBeFocused();
  await page.keyboard.press("Enter");
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.type("By hand");
  await page.keyboard.press("Enter");
  await expect(row.getByRole("link")).toHaveText("By hand");

  const newConversation = page.getByRole("button", { name: "New conversation", exact: true });
  await tabTo(page, newConversation, "Shift+Tab");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL("/chat");
  await expect(chat.composer).toBeFocused();
  await tabTo(page, row.getByRole("link"));
  await page.keyboard.press("Enter");
  await expect(chat.messages).toContainText("and another");
});

test("messages can be edited and regenerated, and their versions shown, by keyboard", async ({
  page,
}) => {
  const chat = new Chat(page);
  await chat.start();
  await chat.ask("First words");
  const edit = chat.questions.getByRole("button", { name: "Edit the message" });
  await tabTo(page, edit, "Shift+Tab");
  await page.keyboard.press("Enter");
  const editor = page.getByRole("textbox", { name: "Edit your message" });
  await expect(editor).toBeFocused();
  await page.keyboard.type(", and more");
  await page.keyboard.press("Escape");
  await expect(edit).toBeFocused();
  await expect(chat.questions).toContainText("First words");
  await expect(chat.questions).not.toContainText("and more");

  await page.keyboard.press("Enter");
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.type("Second words");
  await page.keyboard.press("Enter");
  await expect(chat.answers).toContainText("You wrote: “Second words”");
  await expect(chat.composer).toBeFocused();
  await expect(page.getByRole("status")).toContainText("You wrote: “Second words”");

  const regenerate = chat.answers.getByRole("button", { name: "Regenerate the answer" });
  await tabTo(page, regenerate, "Shift+Tab");
  await page.keyboard.press("Enter");
  await expect(chat.answers).toContainText("2 of 2");
  await expect(chat.composer).toBeFocused();

  const previous = chat.questions.getByRole("button", { name: "Previous version" });
  await tabTo(page, previous, "Shift+Tab");
  await page.keyboard.press("Enter");
  await expect(chat.questions).toContainText("First words");
  await expect(previous).toBeFocused();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await expect(chat.questions).toContainText("Second words");
});
