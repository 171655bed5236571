import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

interface Client {
  connect(): Promise<void>;
  query(text: string, values?: unknown[]): Promise<{ rows: Record<string, string>[] }>;
  end(): Promise<void>;
}

/** The front end's own driver. */
const { Client } = createRequire(join(import.meta.dirname, "../../frontend/package.json"))(
  "pg",
) as { Client: new (options: { connectionString: string }) => Client };

const TABLES = `
  SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
  WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`;

/** Runs statements as the database's owner, past row-level security. */
export async function asOwner<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: process.env.OWNER_DATABASE_URL! });
  await client.connect();
  try {
    await client.query("SELECT set_config('app.migrating', 'on', false)");
    return await work(client);
  } finally {
    await client.end();
  }
}

/** The tables of all schemas, of the API and of Better Auth, that have a text in any column. */
export function tablesWith(text: string): Promise<string[]> {
  return asOwner(async (client) => {
    const found: string[] = [];
    for (const { name } of (await client.query(TABLES)).rows) {
      const holds = `SELECT FROM ${name} AS t WHERE strpos(lower(row_to_json(t)::text), lower($1)) > 0 LIMIT 1`;
      if ((await client.query(holds, [text])).rows.length > 0) found.push(name!);
    }
    return found.sort();
  });
}

/** The log files of all servers, the front end's and the API's among them, that hold a text. */
export function logsWith(text: string): string[] {
  const files = readdirSync(process.env.LOGS!).filter((name) => name.endsWith(".log"));
  return files.filter((name) => {
    const lines = readFileSync(join(process.env.LOGS!, name), "utf8");
    return lines.toLowerCase().includes(text.toLowerCase());
  });
}
