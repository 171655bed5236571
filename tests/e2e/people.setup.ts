import { ADA, BOB, Chat, expect, GRACE, stateOf, test } from "./parley";

for (const person of [ADA, GRACE, BOB]) {
  test(`${person.name} signs up through the form`, async ({ page }) => {
    await page.goto("/");
    await expect(page).toHaveURL("/sign-in");
    await page.getByRole("link", { name: "Create an account" }).click();
    await page.getByLabel("Name").fill(person.name);
    await page.getByLabel("E-mail").fill(person.email);
    await page.getByLabel("Password").fill(person.password);
    await page.getByRole("button", { name: "Create account" }).click();

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
