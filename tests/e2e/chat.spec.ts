import { ADA, Chat, CORE, expect, stateOf, test } from "./parley";

test.use({ storageState: stateOf(ADA) });

test("an answer streams, word by word", CORE, async ({ page }) => {
  const chat = new Chat(page);
  await chat.start();
  await chat.begin("[offline: words=400, word=40] Tell me something.");
  const length = async () => (await chat.answers.last().innerText()).length;
  await expect.poll(length).toBeGreaterThan(20);
  const sofar = await length();
  await expect(chat.stop).toBeVisible();
  await expect.poll(length).toBeGreaterThan(sofar + 20);
  await chat.stop.click();
  await expect(chat.send).toBeVisible();
});

test("a conversation is listed with a title, and the agent remembers it", async ({ page }) => {
  const chat = new Chat(page);
  await chat.start();
  await chat.ask("Hello! My name is Ada and my favourite number is 42.");
  const id = await chat.conversationId();
  const entry = chat.conversations.locator(`a[href="/chat/${id}"]`);
  await expect(entry).toHaveAttribute("aria-current", "page");
  // The model's title replaces the provisional one without a reload.
  await expect(entry).toHaveText("Hello My name is Ada");

  await page.reload();
  await expect(chat.messages).toContainText("Hello! My name is Ada");
  await expect(chat.answers).toHaveCount(1);
  await expect(await chat.ask("What is my name?")).toContainText("Your name is Ada.");
  await expect(await chat.ask("What is my favourite number?")).toContainText("is 42.");
  await page.screenshot({ path: "test-results/screenshots/desktop.png" });
});

test("a second conversation knows nothing of the first, and the list shows both", async ({
  page,
}) => {
  const chat = new Chat(page);
  await chat.start();
  await chat.ask("My town is London.");
  const first = await chat.conversationId();

  await page.getByRole("button", { name: "New conversation", exact: true }).click();
  await expect(page).toHaveURL("/chat");
  await expect(await chat.ask("What is my town?")).toContainText(
    "You have not told me your town yet.",
  );
  const second = await chat.conversationId();
  expect(second).not.toBe(first);

  const links = chat.conversations.getByRole("link");
  await expect(links.nth(0)).toHaveAttribute("href", `/chat/${second}`);
  await links.nth(1).click();
  await expect(page).toHaveURL(`/chat/${first}`);
  await expect(chat.messages).toContainText("My town is London.");
  await page.goBack();
  await expect(chat.messages).toContainText("What is my town?");
});

test("an answer that is in progress during a reload is shown to its end", async ({ page }) => {
  const chat = new Chat(page);
  await chat.start();
  await chat.begin("[offline: words=50, word=60] Take your time.");
  await chat.conversationId();
  await page.reload();
  await expect(chat.stop).toBeVisible();
  await expect(chat.send).toBeVisible();
  await expect(chat.answers).toHaveCount(1);
  await expect(chat.answers).toContainText("The quick brown fox");
});

test("a failure of the model is reported, and a retry does not repeat the question on the page", async ({
  page,
}) => {
  const chat = new Chat(page);
  await chat.start();
  const failTwice = `[offline: error=server_error, first=2, key=${Date.now()}]`;
  await chat.ask(`${failTwice} Say hello.`);
  await expect(chat.messages.getByRole("alert")).toBeVisible();
  await chat.messages.getByRole("button", { name: "Retry" }).click();
  await expect(chat.messages.getByText("2 of 2")).toBeVisible();
  await expect(chat.messages.getByRole("alert")).toBeVisible();

  await page.reload();
  await expect(chat.messages.getByRole("alert")).toBeVisible();
  await chat.messages.getByRole("button", { name: "Retry" }).click();
  await expect(chat.answers).toContainText("You wrote: “Say hello.”");
  await expect(chat.messages.getByRole("alert")).toHaveCount(0);
  await expect(chat.questions).toHaveCount(1);
  await expect(chat.answers).toHaveCount(1);
  await expect(chat.answers.getByText("3 of 3")).toBeVisible();
});

test("a stopped answer keeps its text, and can be retried", async ({ page }) => {
  const chat = new Chat(page);
  await chat.start();
  await chat.begin("[offline: words=400, word=50] Tell me everything.");
  await expect(chat.answers).toContainText("seven wizards");
  await chat.stop.click();
  await expect(chat.answers).toContainText("You stopped this answer.");
  await expect(chat.send).toBeVisible();
  await expect(chat.composer).toBeFocused();
  const text = await chat.answers.innerText();
  expect(text).toContain("The quick brown fox");

  await page.reload();
  await expect(chat.answers).toContainText("You stopped this answer.");
  expect(await chat.answers.innerText()).toBe(text);
  await chat.messages.getByRole("button", { name: "Retry" }).click();
  await expect(chat.stop).toBeEnabled();
  await expect(chat.questions).toHaveCount(1);
  await expect(chat.answers).toHaveCount(1);
  await chat.stop.click();
  await expect(chat.send).toBeVisible();
});

test("a conversation can be renamed and deleted", CORE, async ({ page }) => {
  const chat = new Chat(page);
  await chat.start();
  await chat.ask("Something to be deleted");
  const id = await chat.conversationId();
  const row = chat.conversations
    .getByRole("listitem")
    .filter({ has: page.locator(`a[href="/chat/${id}"]`) });

  await row.hover();
  await row.getByRole("button", { name: /^Rename/ }).click();
  await page.getByRole("textbox", { name: "Title" }).fill("Soon gone");
  await page.getByRole("button", { name: "Rename", exact: true }).click();
  await expect(row.getByRole("link")).toHaveText("Soon gone");
  await expect(page).toHaveTitle("Soon gone · Parley");

  await row.getByRole("button", { name: "Delete Soon gone" }).click();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await expect(row).toHaveCount(0);
  await expect(page).toHaveURL("/chat");

  await page.goto(`/chat/${id}`);
  await expect(
    page.getByRole("heading", { name: "This conversation does not exist" }),
  ).toBeVisible();
});

test("a refused clipboard is reported", CORE, async ({ page, context }) => {
  await context.grantPermissions([]); // Refuses whatever is not in the list.
  const chat = new Chat(page);
  await chat.start();
  await chat.ask("Say exactly: ```\nlet x = 1;\n```");
  const copies = chat.answers.getByRole("button", { name: /^Copy the (answer|code)/ });
  await expect(copies).toHaveCount(2);
  const problem = page.getByRole("alert").filter({ hasText: "does not allow this page to copy" });
  for (const copy of await copies.all()) {
    await copy.click();
    await expect(problem).toBeInViewport({ ratio: 1 });
    await chat.ask("Thank you.");
    await expect(problem).toHaveCount(0);
  }
});
