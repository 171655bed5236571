import { timeOfDay } from "@/services/errors";
import type { Quota } from "@/services/types";

const LITTLE = 0.1;

/** What to tell a user of whose quota little is left; null while there is enough, or no quota. */
export function quotaNotice(quota: Quota): string | null {
  const turns = share(quota.turns_left, quota.turns);
  const tokens = share(quota.tokens_left, quota.tokens);
  const least = Math.min(turns, tokens);
  if (least > LITTLE) return null;
  const freshAt = timeOfDay(new Date(quota.fresh_at));
  if (least === 0) return `Your quota for today is used up. You can go on at ${freshAt}.`;
  const left =
    turns <= tokens
      ? `${quota.turns_left} of ${quota.turns} messages`
      : `About ${Math.ceil(tokens * 100)}% of your quota`;
  return `${left} left for today. It is fresh at ${freshAt}.`;
}

function share(left: number | null, whole: number | null): number {
  if (left === null || whole === null) return 1;
  return whole === 0 ? 0 : left / whole;
}
