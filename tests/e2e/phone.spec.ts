import { ADA, Chat, expect, stateOf, test } from "./parley";

test.use({
  storageState: stateOf(ADA),
  viewport: { width: 360, height: 740 },
  hasTouch: true,
  isMobile: true,
});

test("everything fits on a phone, and the list is a drawer", async ({ page }) => {
  const chat = new Chat(page);
  const expectToFit = async () => {
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    await expect(chat.composer).toBeInViewport({ ratio: 1 });
    await expect(chat.send).toBeInViewport({ ratio: 1 });
  };
  await chat.start();
  await expectToFit();
  await page.screenshot({ path: "test-results/screenshots/phone-empty.png" });
  await chat.ask("Please write a long answer about lighthouses");
  await expectToFit();
  await expect(chat.messages).toContainText("print('done')");
  await page.screenshot({ path: "test-results/screenshots/phone.png" });

  await expect(chat.conversations).toBeHidden();
  await page.getByRole("button", { name: "Open the list of conversations" }).tap();
  const link = chat.conversations.locator('a[aria-current="page"]');
  await expect(link).toBeInViewport({ ratio: 1 });
  await page.screenshot({ path: "test-results/screenshots/phone-drawer.png" });
  await page.keyboard.press("Escape");
  await expect(chat.conversations).toBeHidden();
  await expect(page.getByRole("button", { name: "Open the list of conversations" })).toBeFocused();

  await page.getByRole("button", { name: "Open the list of conversations" }).tap();
  await chat.conversations.getByRole("button", { name: "New conversation", exact: true }).tap();
  await expect(chat.conversations).toBeHidden();
  await expect(page).toHaveURL("/chat");
});
