// Plain JavaScript, because both Next (src/lib/auth.ts) and plain Node (scripts/migrate.mjs) import it.
import { passkey } from "@better-auth/passkey";
import { APIError } from "better-auth/api";
import { jwt } from "better-auth/plugins/jwt";
import { twoFactor } from "better-auth/plugins/two-factor";

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
 * A passkey signs in alone, so it has to be two factors: the device, and what unlocks it.
 * @param {string} url
 */
function passkeys(url) {
  return passkey({
    rpID: new URL(url).hostname,
    rpName: "Parley",
    origin: url,
    // Found by the browser itself, so that nobody has to type an address first.
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
    authentication: {
      // The plugin itself accepts a device that has not been unlocked.
      afterVerification: async ({ verification }) => {
        if (verification.authenticationInfo.userVerified) return;
        throw new APIError("UNAUTHORIZED", {
          code: "USER_NOT_VERIFIED",
          message: "Your device did not check that it is you.",
        });
      },
    },
  });
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
    appName: "Parley",
    baseURL: url,
    secret,
    database,
    emailAndPassword: { enabled: true },
    plugins: [jwt(jwtOptions({ issuer: url, audience })), passkeys(url), twoFactor()],
    // In the database, because the instances of a serverless front end share no memory.
    rateLimit: { storage: "database" },
    telemetry: { enabled: false },
  });
}
