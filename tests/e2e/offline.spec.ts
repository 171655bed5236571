import { ADA, Chat, expect, stateOf, test } from "./parley";

test.use({ storageState: stateOf(ADA) });

test("the page says that the model is offline, and each suggestion is answered", async ({
  page,
}) => {
  const chat = new Chat(page);
  await chat.start();
  await expect(page.getByText(/^Offline model/)).toBeVisible();
  const starters = page.locator("main ul button");
  const texts = await starters.allInnerTexts();
  expect(texts.length).toBeGreaterThan(0);
  for (const text of texts) {
    const answer = await chat.ask(text);
    await expect(answer).not.toContainText("I have no rule for that");
  }
});

test("an earlier conversation is found and opened", async ({ page }) => {
  const chat = new Chat(page);
  await chat.start();
  await chat.ask("I carve oars from walnut.");
  const earlier = await chat.conversationId();
  await chat.start();
  const answer = await chat.ask("Find my talk about walnut");
  await answer.locator(`a[href="/chat/${earlier}"]`).first().click();
  await expect(page).toHaveURL(`/chat/${earlier}`);
  await expect(chat.messages).toContainText("I carve oars from walnut.");
});

test("a conversation is renamed once that is approved", async ({ page }) => {
  const chat = new Chat(page);
  await chat.start();
  await chat.ask("Call this Sea trip");
  await page.getByRole("button", { name: "Approve: Rename conversation" }).click();
  await expect(chat.answers).toContainText("The conversation is now called “Sea trip”.");
  const id = await chat.conversationId();
  await expect(chat.conversations.locator(`a[href="/chat/${id}"]`)).toHaveText("Sea trip");
});
