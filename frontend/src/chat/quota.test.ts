import { quotaNotice } from "./quota";

const QUOTA = {
  turns: 500,
  tokens: 1_000_000,
  turns_left: 500,
  tokens_left: 1_000_000,
  fresh_at: "2026-12-01T00:00:00.000Z",
};
const FRESH_AT = new Date(QUOTA.fresh_at).toLocaleTimeString([], {
  hour: "2-digit",
  minute: "2-digit",
});

test.each([
  ["there is no quota", { turns: null, tokens: null, turns_left: null, tokens_left: null }],
  ["nothing is used", {}],
  ["half is left", { turns_left: 250, tokens_left: 500_000 }],
  ["only messages are counted", { tokens: null, tokens_left: null, turns_left: 51 }],
])("says nothing when %s", (_, change) => {
  expect(quotaNotice({ ...QUOTA, ...change })).toBeNull();
});

test.each([
  ["few messages", { turns_left: 50 }, "50 of 500 messages left for today."],
  ["one message", { turns_left: 1, tokens_left: 90_000 }, "1 of 500 messages left for today."],
  ["few tokens", { tokens_left: 84_500 }, "About 9% of your quota left for today."],
  ["hardly any tokens", { tokens_left: 1 }, "About 1% of your quota left for today."],
])("tells of %s", (_, change, told) => {
  const notice = quotaNotice({ ...QUOTA, ...change });
  expect(notice).toBe(`${told} It is fresh at ${FRESH_AT}.`);
});

test.each([[{ turns_left: 0 }], [{ tokens_left: 0 }], [{ turns: 0, turns_left: 0 }]])(
  "says when it goes on if nothing is left: %j",
  (change) => {
    const notice = quotaNotice({ ...QUOTA, ...change });
    expect(notice).toBe(`Your quota for today is used up. You can go on at ${FRESH_AT}.`);
  },
);
