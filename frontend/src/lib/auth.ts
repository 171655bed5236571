import "server-only";
import { betterAuth } from "better-auth";
import { headers } from "next/headers";
import { authOptions } from "./auth-options.mjs";
import { config } from "./config";
import { connectDatabase } from "./database";

async function createAuth() {
  return betterAuth(
    authOptions({
      url: config.authUrl,
      secret: config.authSecret,
      audience: config.jwtAudience,
      clientIpHeader: config.clientIpHeader,
      database: await connectDatabase(),
    }),
  );
}

let auth: ReturnType<typeof createAuth> | undefined;

/** Created at the first request, because `next build` runs without a database and secrets. */
export function getAuth() {
  return (auth ??= createAuth());
}

export async function getUser() {
  const session = await (await getAuth()).api.getSession({ headers: await headers() });
  return session?.user ?? null;
}
