import { act, renderHook, waitFor } from "@testing-library/react";
import { sendJson } from "@/testing/apiServer";
import { ChatTest } from "@/testing/chat";
import { useQuotaNotice } from "./useQuotaNotice";

const chat = new ChatTest();

beforeAll(() => chat.start());
afterAll(() => chat.stop());

const QUOTA = { turns: 10, tokens: null, turns_left: 10, tokens_left: null };
const FRESH_AT = "2026-12-01T00:00:00.000Z";

const serve = (change: object) =>
  chat.server.answer((response) =>
    sendJson(response, { days: [], quota: { ...QUOTA, fresh_at: FRESH_AT, ...change } }),
  );

const settled = () => act(() => new Promise((resolve) => setTimeout(resolve, 50)));

/** React's strict mode reads the quota twice. */
async function open() {
  const { result } = renderHook(() => useQuotaNotice(chat.api));
  await waitFor(() => expect(chat.server.received).toHaveLength(2));
  await settled();
  return result;
}

test("the quota is read again after a turn, and told once little is left", async () => {
  serve({});
  const opened = await open();
  expect(chat.server.received[0]!.path).toBe("/api/ada/usage?days=1");
  expect(opened.current.notice).toBeNull();
  serve({ turns_left: 1 });
  act(() => opened.current.refresh());
  await waitFor(() => expect(opened.current.notice).toContain("1 of 10 messages left"));
});

test("without a quota it is not read again", async () => {
  serve({ turns: null, turns_left: null });
  const opened = await open();
  act(() => opened.current.refresh());
  await settled();
  expect(chat.server.received).toHaveLength(2);
  expect(opened.current.notice).toBeNull();
});

test("what was told stays if it cannot be read", async () => {
  serve({ turns_left: 1 });
  const opened = await open();
  chat.server.answer((response) => void response.destroy());
  act(() => opened.current.refresh());
  await waitFor(() => expect(chat.server.received).toHaveLength(1));
  await settled();
  expect(opened.current.notice).toContain("1 of 10");
});
