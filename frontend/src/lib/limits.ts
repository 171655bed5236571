import "server-only";
import { createHash } from "node:crypto";
import type { Pool } from "pg";
import { query } from "./database";

/** How long an attempt counts, and how long a limit that was reached refuses. */
export const WINDOW_S = 15 * 60;

export interface Limit {
  key: string;
  max: number;
}

/** What is counted by e-mail address. Each mail has a limit of its own, so that no other mail can hold it back. */
export const COUNTED_BY_ADDRESS = [
  "sign-in",
  "sign-up mail",
  "confirmation mail",
  "reset mail",
  "change mail",
] as const;

/** What somebody could guess who is signed in, counted by the user's id. */
export const COUNTED_BY_USER = ["password", "code"] as const;

/** A limit's key. Hashed, because what people type has any length. */
export function limitKey(kind: string, subject: string): string {
  return `${kind}:${createHash("sha256").update(subject.toLowerCase()).digest("base64url")}`;
}

/**
 * Counts an attempt in Better Auth's table of limits, which also deletes what has expired. One statement, because
 * attempts made at the same time must not all see the count from before.
 */
const TAKE = `
  WITH asked AS (SELECT * FROM unnest($1::text[], $2::int[]) AS asked (key, max)),
  taken AS (
    INSERT INTO "rateLimit" AS kept (id, key, count, "lastRequest")
    SELECT gen_random_uuid()::text, key, 1, $3::bigint FROM asked ORDER BY key
    ON CONFLICT (key) DO UPDATE SET
      count = CASE WHEN kept."lastRequest" <= $4::bigint THEN 1 ELSE kept.count + 1 END,
      "lastRequest" = $3::bigint
    WHERE kept."lastRequest" <= $4::bigint
      OR kept.count < (SELECT max FROM asked WHERE asked.key = kept.key)
    RETURNING key
  )
  SELECT asked.key, kept."lastRequest" AS since
  FROM asked LEFT JOIN "rateLimit" AS kept USING (key)
  WHERE asked.key NOT IN (SELECT key FROM taken)`;

const FORGET = `DELETE FROM "rateLimit" WHERE key = ANY($1::text[])`;

const GIVE_BACK = `UPDATE "rateLimit" SET count = count - 1 WHERE key = ANY($1::text[]) AND count > 0`;

export class Limits {
  constructor(private readonly pool: Pool) {}

  /** Counts an attempt. Returns the seconds to wait if one of the limits has been reached, else 0. */
  async take(limits: Limit[]): Promise<number> {
    const now = Date.now();
    const oldest = now - WINDOW_S * 1000;
    const keys = limits.map(({ key }) => key);
    const maxima = limits.map(({ max }) => max);
    const refused = await query<{ since: string | null }>(this.pool, TAKE, [
      keys,
      maxima,
      now,
      oldest,
    ]);
    const waits = refused.map(({ since }) => Number(since ?? now) - oldest);
    return Math.ceil(Math.max(0, ...waits) / 1000);
  }

  /** Counts from zero. */
  async forget(keys: string[]): Promise<void> {
    await query(this.pool, FORGET, [keys]);
  }

  /** Takes one attempt back. */
  async giveBack(keys: string[]): Promise<void> {
    await query(this.pool, GIVE_BACK, [keys]);
  }
}
