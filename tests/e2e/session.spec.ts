import { Chat, expect, test } from "./parley";

const MARY = { name: "Mary", email: "mary@example.com", password: "mechanism of the heavens" };

test("signing out ends the session and leaves no data in the page", async ({ page }) => {
  const chat = new Chat(page);
  await page.goto("/sign-up");
  await page.getByLabel("Name").fill(MARY.name);
  await page.getByLabel("E-mail").fill(MARY.email);
  await page.getByLabel("Password").fill(MARY.password);
  await page.getByRole("button", { name: "Create account" }).click();
  await chat.ask("My secret is a red door.");
  const id = await chat.conversationId();

  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page).toHaveURL("/sign-in");
  expect((await page.request.get("/api/auth/token")).status()).toBe(401);
  await page.goBack();
  await expect(page.getByText("red door")).toHaveCount(0);
  await page.goto(`/chat/${id}`);
  await expect(page).toHaveURL("/sign-in");

  await page.getByLabel("E-mail").fill(MARY.email);
  await page.getByLabel("Password").fill("not her password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert").filter({ hasText: /./ })).toContainText(
    "Invalid email or password",
  );
  await page.getByLabel("Password").fill(MARY.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL("/chat");
  await chat.conversations.getByRole("link", { name: /red door/ }).click();
  await expect(chat.messages).toContainText("My secret is a red door.");
});
