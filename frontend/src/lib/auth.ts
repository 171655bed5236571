import "server-only";
import { betterAuth } from "better-auth";
import { headers } from "next/headers";
import { accountOptions } from "./accounts";
import { authOptions } from "./auth-options.mjs";
import { config } from "./config";
import { connectDatabase } from "./database";
import { WINDOW_S } from "./limits";
import { sendMail } from "./mail";

async function createAuth() {
  const { authUrl: url, clientIpHeader } = config;
  const pool = await connectDatabase();
  const isSecure = url.startsWith("https:");
  return betterAuth({
    ...authOptions({
      url,
      secret: config.authSecret,
      audience: config.jwtAudience,
      database: pool,
    }),
    ...accountOptions({
      url,
      pool,
      verifies: config.verifiesEmail,
      sendMail: config.mail && sendMail,
      socialProviders: config.socialProviders,
    }),
    rateLimit: {
      storage: "database",
      customRules: {
        "/sign-in/email": { window: 10, max: 10 },
        // Guesses at codes are counted by account: 10 in a row lock it for 15 minutes.
        "/two-factor/*": { window: 10, max: 10 },
        // Also how long the table keeps what lib/limits.ts counts.
        "/request-password-reset": { window: WINDOW_S, max: 20 },
      },
    },
    advanced: {
      // An empty list, because by default X-Forwarded-For would be believed, which anybody can send.
      ipAddress: { ipAddressHeaders: clientIpHeader ? [clientIpHeader] : [] },
      // Browsers accept `__Host-` only from this very host, over TLS. Better Auth's own prefix, `__Secure-`, lets
      // other hosts of the same domain set the cookie.
      useSecureCookies: false,
      cookiePrefix: isSecure ? "__Host-better-auth" : "better-auth",
      defaultCookieAttributes: { secure: isSecure, httpOnly: true, sameSite: "lax" },
    },
  });
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
