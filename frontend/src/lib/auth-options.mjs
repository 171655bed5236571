// Plain JavaScript, because both Next (src/lib/auth.ts) and plain Node (scripts/migrate.mjs) import it.
import { jwt } from "better-auth/plugins/jwt";

/**
 * API Gateway's JWT authorizer accepts RSA only; the plugin's default is EdDSA.
 * @param {{ issuer: string, audience: string }} settings
 * @returns {import("better-auth/plugins/jwt").JwtOptions}
 */
export function jwtOptions({ issuer, audience }) {
  return {
    disableSettingJwtHeader: true,
    jwks: { keyPairConfig: { alg: "RS256", modulusLength: 2048 } },
    jwt: {
      issuer,
      audience,
      expirationTime: "15m",
      // Without this the token would carry the whole user row.
      definePayload: ({ user }) => ({ email: user.email, name: user.name }),
    },
  };
}

/**
 * What the tables depend on, and what holds for every deployment. lib/accounts.ts has the rest.
 * @param {{
 *   url: string,
 *   secret: string,
 *   audience: string,
 *   database: import("pg").Pool,
 * }} settings
 */
export function authOptions({ url, secret, audience, database }) {
  return /** @satisfies {import("better-auth").BetterAuthOptions} */ ({
    baseURL: url,
    secret,
    database,
    emailAndPassword: { enabled: true },
    plugins: [jwt(jwtOptions({ issuer: url, audience }))],
    // In the database, because the instances of a serverless front end share no memory.
    rateLimit: { storage: "database" },
    telemetry: { enabled: false },
  });
}
