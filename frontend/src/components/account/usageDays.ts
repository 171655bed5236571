import type { Usage } from "@/services/types";

const DAY_MS = 24 * 60 * 60 * 1000;

export interface UsageDay {
  /** `2026-11-30`, in UTC. */
  day: string;
  input: number;
  output: number;
}

/** Each of the last days, also those without a turn, oldest first. */
export function usageDays({ days, quota }: Usage, count: number): UsageDay[] {
  const today = Date.parse(quota.fresh_at) - DAY_MS;
  return Array.from({ length: count }, (_, index) => {
    const day = new Date(today - (count - 1 - index) * DAY_MS).toISOString().slice(0, 10);
    const rows = days.filter((row) => row.day === day);
    return {
      day,
      input: rows.reduce((sum, row) => sum + row.input_tokens, 0),
      output: rows.reduce((sum, row) => sum + row.output_tokens, 0),
    };
  });
}

export interface UsageTotal {
  turns: number;
  tokens: number;
  /** In US dollars, of the models whose price is known. */
  cost: number;
  /** The models whose price is not known. */
  unpriced: string[];
}

export function usageTotal({ days }: Usage): UsageTotal {
  const unpriced = new Set(days.filter(({ cost }) => cost === null).map(({ model }) => model));
  return {
    turns: days.reduce((sum, { turns }) => sum + turns, 0),
    tokens: days.reduce((sum, row) => sum + row.input_tokens + row.output_tokens, 0),
    cost: days.reduce((sum, { cost }) => sum + (cost ?? 0), 0),
    unpriced: [...unpriced].sort(),
  };
}

/** Small amounts keep the digits that make them differ. */
export function dollars(amount: number): string {
  const digits = amount > 0 && amount < 1 ? 4 : 2;
  return `$${amount.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: digits })}`;
}
