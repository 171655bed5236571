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
 * `clientIpHeader` is the header in which a trusted proxy passes the client's IP address, by which sign-ins are
 * limited.
 * @param {{
 *   url: string,
 *   secret: string,
 *   audience: string,
 *   database: import("pg").Pool,
 *   clientIpHeader?: string,
 * }} settings
 */
export function authOptions({ url, secret, audience, database, clientIpHeader }) {
  return /** @satisfies {import("better-auth").BetterAuthOptions} */ ({
    baseURL: url,
    secret,
    database,
    emailAndPassword: { enabled: true },
    plugins: [jwt(jwtOptions({ issuer: url, audience }))],
    // In the database, because the instances of a serverless front end share no memory.
    rateLimit: { storage: "database" },
    advanced: clientIpHeader ? { ipAddress: { ipAddressHeaders: [clientIpHeader] } } : {},
    telemetry: { enabled: false },
  });
}
