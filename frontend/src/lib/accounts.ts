import "server-only";
import type { BetterAuthOptions } from "better-auth";
import type { Pool } from "pg";
import { guards } from "./account-guards";
import { query } from "./database";
import { limitKey, Limits } from "./limits";
import type { Mail } from "./mail";

interface Settings {
  url: string;
  pool: Pool;
  verifies: boolean;
  /** Without it, passwords cannot be reset. */
  sendMail?: (mail: Mail) => Promise<void>;
}

const IGNORE = "If this was not you, you need not do anything.";

const texts = {
  verify: (link: string) => ({
    subject: "Confirm your e-mail address",
    text: `Open this link to confirm your e-mail address for Parley. It is valid for one hour.\n\n${link}\n\n${IGNORE}\n`,
  }),
  reset: (link: string) => ({
    subject: "Choose a new password",
    text: `Open this link to choose a new password for Parley. It is valid for one hour.\n\n${link}\n\n${IGNORE}\n`,
  }),
  known: (url: string) => ({
    subject: "You already have an account",
    text:
      "Somebody tried to create an account for Parley with your e-mail address. You already have one.\n\n" +
      `Sign in: ${url}/sign-in\nChoose a new password: ${url}/forgot-password\n\n${IGNORE}\n`,
  }),
};

/** Sign-up, verification, passwords: what of Better Auth's options concerns accounts. */
export function accountOptions({ url, pool, verifies, sendMail }: Settings) {
  const limits = new Limits(pool);
  return {
    emailAndPassword: {
      enabled: true,
      minPasswordLength: 10,
      requireEmailVerification: verifies,
      revokeSessionsOnPasswordReset: true,
      sendResetPassword:
        sendMail &&
        (({ user, token }) =>
          sendMail({ to: user.email, ...texts.reset(`${url}/reset-password?token=${token}`) })),
      onPasswordReset: async ({ user }) => {
        // Only who reads this address's mail gets here.
        await query(pool, `UPDATE "user" SET "emailVerified" = true WHERE id = $1`, [user.id]);
        await limits.forget([limitKey("sign-in", user.email)]);
      },
      onExistingUserSignUp: async ({ user }) => sendMail?.({ to: user.email, ...texts.known(url) }),
    },
    emailVerification: sendMail && {
      sendOnSignUp: verifies,
      sendVerificationEmail: ({ user, token }) =>
        sendMail({ to: user.email, ...texts.verify(verificationLink(url, token)) }),
    },
    hooks: guards(limits),
  } satisfies Partial<BetterAuthOptions>;
}

/** Leads to the sign-in page, whoever follows it: the account may have been made by somebody else. */
function verificationLink(url: string, token: string): string {
  const query = new URLSearchParams({ token, callbackURL: "/sign-in?verified=yes" });
  return `${url}/api/auth/verify-email?${query}`;
}
