import { ADA, BOB, Chat, expect, GRACE, signUp, stateOf, test } from "./parley";

for (const person of [ADA, GRACE, BOB]) {
  test(`${person.name} signs up through the form`, async ({ page }) => {
    await page.goto("/");
    await expect(page).toHaveURL("/sign-in");
    await page.getByRole("link", { name: "Create an account" }).click();
    await expect(page).toHaveURL("/sign-up");
    await signUp(page, person);

    await expect(page).toHaveURL("/chat");
    await expect(
      page.getByRole("heading", { name: `Good to see you, ${person.name}.` }),
    ).toBeVisible();
    await expect(new Chat(page).conversations).toContainText(
      "Your conversations will be listed here.",
    );
    await page.context().storageState({ path: stateOf(person) });
  });
}
