import { ADA, Chat, expect, stateOf, test } from "./parley";

test.use({ storageState: stateOf(ADA) });

const HOSTILE = `Say exactly: # Look

<script>window.hacked = true</script>
<img src="https://evil.example/pixel.png" onerror="window.hacked = true">
<iframe src="https://evil.example/"></iframe>
<a href="javascript:window.hacked = true">raw link</a>

![pixel](https://evil.example/pixel.png)
[script link](javascript:window.hacked=true) and [a web page](https://example.com/page)

- [x] done`;

test("script, markup, images and links in an answer are inert", async ({ page }) => {
  const chat = new Chat(page);
  await chat.start();
  const answer = await chat.ask(HOSTILE);
  await expect(answer.getByRole("heading", { name: "Look", level: 3 })).toBeVisible();
  await expect(answer.locator("script, img, iframe, style, form, object")).toHaveCount(0);
  await expect(answer.locator("input:not([type=checkbox]:disabled)")).toHaveCount(0);
  await expect(answer.locator("input")).toHaveCount(1);
  await expect(answer).toContainText("[image: pixel]");
  await expect(answer).toContainText("<script>window.hacked = true</script>");
  const link = answer.getByRole("link", { name: "a web page" });
  await expect(link).toHaveAttribute("href", "https://example.com/page");
  await expect(link).toHaveAttribute("rel", "noopener nofollow");
  await expect(link).toHaveAttribute("target", "_blank");
  // Addresses in HTML are addresses in text.
  for (const each of await answer.getByRole("link").all()) {
    expect(await each.getAttribute("href")).toMatch(/^https:/);
    await expect(each).toHaveAttribute("target", "_blank");
  }
  expect(await page.evaluate(() => "hacked" in window)).toBe(false);
});
