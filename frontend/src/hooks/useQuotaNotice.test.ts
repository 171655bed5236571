import { act, renderHook, waitFor } from "@testing-library/react";
import { sendJson } from "@/testing/apiServer";
import { ChatTest } from "@/testing/chat";
import { useQuotaNotice } from "./useQuotaNotice";

const chat = new ChatTest();

beforeAll(() => chat.start());
afterAll(() => chat.stop());

const quota = (change: object) => ({
  turns: 10,
  tokens: null,
  turns_left: 10,
  tokens_left: null,
  fresh_at: "2026-12-01T00:00:00.000Z",
  ...change,
});

function open(...quotas: object[]) {
  chat.server.answer((response) => {
    const next = quotas.length > 1 ? quotas.shift() : quotas[0];
    sendJson(response, { days: [], quota: next });
  });
  return renderHook(() => useQuotaNotice(chat.api)).result;
}

test("the quota is read again after a turn, and told once little is left", async () => {
  const opened = open(quota({}), quota({ turns_left: 1 }));
  await waitFor(() => expect(chat.server.received).toHaveLength(1));
  expect(chat.server.received[0]!.path).toBe("/api/ada/usage?days=1");
  expect(opened.current.notice).toBeNull();
  act(() => opened.current.refresh());
  await waitFor(() => expect(opened.current.notice).toContain("1 of 10 messages left"));
});

test("without a quota it is read once", async () => {
  const opened = open(quota({ turns: null, turns_left: null }));
  await waitFor(() => expect(chat.server.received).toHaveLength(1));
  await new Promise((resolve) => setTimeout(resolve, 50));
  act(() => opened.current.refresh());
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(chat.server.received).toHaveLength(1);
  expect(opened.current.notice).toBeNull();
});

test("what was told stays if it cannot be read", async () => {
  const opened = open(quota({ turns_left: 1 }));
  await waitFor(() => expect(opened.current.notice).not.toBeNull());
  chat.server.answer((response) => void response.destroy());
  act(() => opened.current.refresh());
  await waitFor(() => expect(chat.server.received).toHaveLength(1));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(opened.current.notice).toContain("1 of 10");
});
