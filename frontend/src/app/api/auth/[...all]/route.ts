import { getAuth } from "@/lib/auth";
import { config } from "@/lib/config";

/**
 * Longer than a mail server usually takes to accept a message, because Lambda runs nothing after the answer. A message
 * that takes longer does not hold up the answer: it goes on while the server runs.
 */
const LEAST_MS = 2_000;

/** These answer the same whether an account exists or not, and take as long whether mail is sent or not. */
function mayNotTell(path: string): boolean {
  if (path.includes("/sign-up/email")) return config.verifiesEmail;
  return /\/(request-password-reset|send-verification-email|change-email)/.test(path);
}

export async function POST(request: Request) {
  const leastMs = mayNotTell(new URL(request.url).pathname) ? LEAST_MS : 0;
  const [response] = await Promise.all([
    getAuth().then((auth) => auth.handler(request)),
    new Promise((resolve) => setTimeout(resolve, leastMs)),
  ]);
  return response;
}

export async function GET(request: Request) {
  const response = await (await getAuth()).handler(request);
  if (response.ok && new URL(request.url).pathname.endsWith("/jwks")) {
    // API Gateway waits only 1.5 s for the keys, and this server may have to start and read them from the
    // database. Caching is safe: a new key is listed a day before it is used.
    response.headers.set("Cache-Control", "public, max-age=300, stale-while-revalidate=86400");
  }
  return response;
}
