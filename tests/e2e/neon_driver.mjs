// Neon's official driver: runs the statements on standard input, and prints what it got over HTTP one by one, over
// HTTP in one transaction with a setting before each, and over a WebSocket.
import { Pool, neon, neonConfig } from "@neondatabase/serverless";

const { connectionString, port, statements } = JSON.parse(await new Response(process.stdin).text());
neonConfig.fetchEndpoint = () => `http://127.0.0.1:${port}/sql`;
neonConfig.wsProxy = () => `127.0.0.1:${port}/v2`;
neonConfig.useSecureWebSocket = false;

const asText = { getTypeParser: () => (value) => value };
const options = { arrayMode: true, fullResults: true, types: asText };
const sql = neon(connectionString);
const pool = new Pool({ connectionString, max: 1 });

async function outcome(run) {
  try {
    const { fields, rows, command, rowCount } = await run();
    return { fields: fields.map((field) => ({ ...field })), rows, command, rowCount };
  } catch (error) {
    return { message: error.message, error: { ...error } };
  }
}

const results = [];
for (const [text, values] of statements) {
  const setting = sql.query("select set_config('app.user_id', $1, true)", ["alice"]);
  results.push({
    http: await outcome(() => sql.query(text, values, options)),
    batch: await outcome(
      async () => (await sql.transaction([setting, sql.query(text, values, options)], options))[1],
    ),
    websocket: await outcome(() => pool.query({ text, values, rowMode: "array", types: asText })),
  });
}
await pool.end();
console.log(JSON.stringify(results));
