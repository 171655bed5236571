import { ADA, apiOf, Chat, expect, GRACE, stateOf, test } from "./parley";

test.use({ storageState: stateOf(GRACE) });

test("another user sees nothing of a conversation, and is refused access by its ids", async ({
  browser,
  page,
}) => {
  const adas = await browser.newContext({ storageState: stateOf(ADA) });
  const adasPage = await adas.newPage();
  const chat = new Chat(adasPage);
  await chat.start();
  await chat.ask("My secret is a green door.");
  const conversation = await chat.conversationId();
  const { userId: ada } = await apiOf(adasPage);
  await adas.close();

  const api = await apiOf(page);
  expect(api.userId).not.toBe(ada);
  await expect(new Chat(page).conversations.getByRole("link")).toHaveCount(0);

  await page.goto(`/chat/${conversation}`);
  const refusal = page.getByRole("heading", {
    name: "You do not have access to this conversation",
  });
  await expect(refusal).toBeVisible();
  await expect(page.getByText("green door")).toHaveCount(0);

  const own = `${api.userId}/conversations/${conversation}`;
  for (const [method, path, body] of [
    ["GET", `${ada}/conversations`],
    ["GET", `${ada}/conversations/${conversation}`],
    ["POST", `${ada}/chat`, { message: "Hello" }],
    ["GET", own],
    ["GET", `${own}/messages`],
    ["PATCH", own, { title: "Mine now" }],
    ["DELETE", own],
    ["POST", `${api.userId}/chat`, { message: "Hello", conversation_id: conversation }],
  ] as const) {
    const response = await api.call(method, path, body);
    expect(response.status(), `${method} ${path}`).toBe(403);
    expect(await response.text()).not.toContain("green door");
  }

  await page.getByRole("button", { name: "Start a new conversation" }).click();
  await expect(page).toHaveURL("/chat");
  await expect(refusal).toHaveCount(0);
});
