import type { Usage } from "@/services/types";
import { dollars, usageDays, usageTotal } from "./usageDays";

const row = (day: string, model: string, change: object = {}) => ({
  day,
  model,
  turns: 1,
  input_tokens: 10,
  cached_tokens: 0,
  output_tokens: 5,
  cost: 0.5,
  ...change,
});

const usage = (...days: Usage["days"]): Usage => ({
  days,
  quota: {
    turns: null,
    tokens: null,
    turns_left: null,
    tokens_left: null,
    fresh_at: "2026-12-01T00:00:00Z",
  },
});

test("every day has its place, also one without a turn, and models of a day are added up", () => {
  const given = usage(
    row("2026-11-30", "a"),
    row("2026-11-30", "b", { output_tokens: 1 }),
    row("2026-11-28", "a"),
  );
  expect(usageDays(given, 4)).toEqual([
    { day: "2026-11-27", input: 0, output: 0 },
    { day: "2026-11-28", input: 10, output: 5 },
    { day: "2026-11-29", input: 0, output: 0 },
    { day: "2026-11-30", input: 20, output: 6 },
  ]);
});

test("the total says which models have no known price", () => {
  const given = usage(row("2026-11-30", "b", { cost: null }), row("2026-11-30", "a"));
  expect(usageTotal(given)).toEqual({ turns: 2, tokens: 30, cost: 0.5, unpriced: ["b"] });
  expect(usageTotal(usage())).toEqual({ turns: 0, tokens: 0, cost: 0, unpriced: [] });
});

test.each([
  [0, "$0.00"],
  [0.00012, "$0.0001"],
  [0.5, "$0.50"],
  [12.3456, "$12.35"],
])("%d dollars", (amount, text) => expect(dollars(amount)).toBe(text));
