import type { Route } from "@playwright/test";
import { BOB, Chat, CORE, expect, signUp, stateOf, test } from "./parley";

const MARY = { name: "Mary", email: "mary@example.com", password: "mechanism of the heavens" };

test("signing out ends the session and leaves no data in the page", CORE, async ({ page }) => {
  const chat = new Chat(page);
  await signUp(page, MARY);
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

test.describe("signing out", () => {
  test.use({ storageState: stateOf(BOB) });

  test("that fails is reported, and the user stays signed in", CORE, async ({ page }) => {
    const chat = new Chat(page);
    await chat.start();
    const signOut = page.getByRole("button", { name: "Sign out" });
    const problem = page.getByRole("contentinfo").getByRole("alert");
    const failures = [
      (route: Route) => route.abort(),
      (route: Route) => route.fulfill({ status: 503, body: "Down for maintenance" }),
    ];
    for (const fail of failures) {
      await page.route("**/api/auth/sign-out", fail);
      await signOut.click();
      await expect(problem).toContainText("You are still signed in. The server cannot be reached.");
      expect((await page.request.get("/api/auth/token")).status()).toBe(200);
      await page.unroute("**/api/auth/sign-out");
    }
  });
});
