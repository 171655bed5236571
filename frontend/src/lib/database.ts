import "server-only";
import type { Pool, PoolClient, PoolConfig } from "pg";
import { config } from "./config";

/** After so long without use a connection is closed. */
const IDLE_MS = 10_000;

/** A database of Neon's is reached through its driver, over a WebSocket, any other over TCP. */
export async function connectDatabase(): Promise<Pool> {
  const options: PoolConfig = {
    connectionString: config.authDatabaseUrl,
    max: 5,
    idleTimeoutMillis: IDLE_MS,
    connectionTimeoutMillis: 5_000,
    query_timeout: 10_000,
  };
  const pool =
    config.databaseTransport === "http" ? await neonPool(options) : await tcpPool(options);
  // Without a listener, a connection that is lost while idle would end the server.
  pool.on("error", (error) => console.warn(`database: a connection was lost: ${error.name}`));
  return freshConnectionsOnly(pool);
}

async function tcpPool(options: PoolConfig): Promise<Pool> {
  const { Pool } = await import("pg");
  return new Pool(options);
}

async function neonPool(options: PoolConfig): Promise<Pool> {
  const { neonConfig, Pool } = await import("@neondatabase/serverless");
  // Node 20 has no WebSocket of its own.
  neonConfig.webSocketConstructor = (await import("ws")).WebSocket;
  const url = config.databaseHttpUrl;
  if (url) {
    neonConfig.wsProxy = () => `${url.host}/v2`;
    neonConfig.useSecureWebSocket = url.protocol === "https:";
  }
  // It extends the same pool; only its types are written anew.
  return new Pool(options) as unknown as Pool;
}

/**
 * While AWS Lambda keeps an environment frozen no timer runs, so a pool still holds connections that the network has
 * forgotten. A query on one of them waits for minutes.
 */
function freshConnectionsOnly(pool: Pool): Pool {
  const releasedAt = new WeakMap<PoolClient, number>();
  const connect = pool.connect.bind(pool) as () => Promise<PoolClient>;
  pool.on("release", (_, client) => releasedAt.set(client, Date.now()));
  pool.connect = async () => {
    for (;;) {
      const client = await connect();
      const idleMs = Date.now() - (releasedAt.get(client) ?? Date.now());
      if (idleMs < IDLE_MS) return client;
      client.release(true);
    }
  };
  return pool;
}

export async function query<Row>(pool: Pool, text: string, values: unknown[]): Promise<Row[]> {
  const client = await pool.connect();
  let isUsable = false;
  try {
    const { rows } = await client.query(text, values);
    isUsable = true;
    return rows as Row[];
  } finally {
    // After a time-out the connection still waits for the statement.
    client.release(!isUsable);
  }
}
