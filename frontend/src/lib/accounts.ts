import "server-only";
import type { BetterAuthOptions } from "better-auth";
import type { Pool } from "pg";
import { guards, mailTo } from "./account-guards";
import { query } from "./database";
import { limitKey, Limits } from "./limits";
import type { Mail } from "./mail";
import { LEAST_CHARACTERS } from "./passwords";

interface Settings {
  url: string;
  pool: Pool;
  verifies: boolean;
  /** Without it, passwords cannot be reset, nor addresses changed. */
  sendMail?: (mail: Mail) => Promise<void>;
  socialProviders: { id: "github" | "google"; clientId: string; clientSecret: string }[];
}

const IGNORE = "If this was not you, you need not do anything.";

const texts = {
  verify: (link: string) => ({
    subject: "Confirm your e-mail address",
    text: `Open this link to confirm your e-mail address for Parley. It is valid for one hour.\n\n${link}\n\n${IGNORE}\n`,
  }),
  change: (newEmail: string, link: string) => ({
    subject: "Change your e-mail address",
    text:
      `Open this link to change your e-mail address for Parley to ${newEmail}. It is valid for one hour. ` +
      `After that, we send a link to the new address.\n\n${link}\n\n` +
      "If this was not you, somebody else is signed in to your account: change your password.\n",
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

/** Sign-up, verification, passwords, other accounts: what of Better Auth's options concerns accounts. */
export function accountOptions({ url, pool, verifies, sendMail, socialProviders }: Settings) {
  const limits = new Limits(pool);
  const send = sendBeside(sendMail);
  return {
    emailAndPassword: {
      enabled: true,
      minPasswordLength: LEAST_CHARACTERS,
      requireEmailVerification: verifies,
      revokeSessionsOnPasswordReset: true,
      sendResetPassword:
        sendMail &&
        (async ({ user, token }) =>
          send({ to: user.email, ...texts.reset(`${url}/reset-password?token=${token}`) })),
      onPasswordReset: async ({ user }) => {
        // Only who reads this address's mail gets here.
        await query(pool, `UPDATE "user" SET "emailVerified" = true WHERE id = $1`, [user.id]);
        await limits.forget([limitKey("sign-in", user.email), limitKey("password", user.id)]);
        await forgetResetLinks(pool, user.id);
      },
      onExistingUserSignUp: async ({ user }) => send({ to: user.email, ...texts.known(url) }),
    },
    emailVerification: sendMail && verification({ url, verifies, sendMail }, limits),
    user: {
      changeEmail: {
        enabled: sendMail !== undefined,
        sendChangeEmailConfirmation:
          sendMail &&
          (async ({ user, newEmail, token }) =>
            send({
              to: user.email,
              ...texts.change(newEmail, verificationLink(url, token, "confirmed")),
            })),
      },
      // Otherwise somebody could take an address that is not theirs, and wait for its owner.
      validateUserInfo: ({ user, source }) =>
        source.method === "oauth" && !user.emailVerified
          ? { error: "email_not_verified" }
          : undefined,
    },
    socialProviders: Object.fromEntries(
      socialProviders.map(({ id, clientId, clientSecret }) => [id, { clientId, clientSecret }]),
    ),
    databaseHooks: endOfResetLinks(pool),
    hooks: guards(limits),
  } satisfies Partial<BetterAuthOptions>;
}

/** Nothing waits for it: the time of an answer must not tell whether there was somebody to write to. */
function sendBeside(sendMail: Settings["sendMail"]) {
  return (mail: Mail): void => {
    sendMail?.(mail).catch((error: Error) => console.error(`mail: not sent: ${error.name}`));
  };
}

type Verification = Required<Pick<Settings, "url" | "verifies" | "sendMail">>;

function verification({ url, verifies, sendMail }: Verification, limits: Limits) {
  const send = sendBeside(sendMail);
  return {
    sendOnSignUp: verifies,
    sendVerificationEmail: async ({ user, token }, request) => {
      const mail = { to: user.email, ...texts.verify(verificationLink(url, token)) };
      if (request?.method !== "GET") return send(mail);
      // Each opening of the link that the old address got sends this mail again.
      if (await limits.take(mailTo("change mail", user.email))) return;
      // Who opens a link waits for this, and has nothing to learn from the time.
      await sendMail(mail);
    },
  } satisfies BetterAuthOptions["emailVerification"];
}

/** Whenever the password changes, or the address that links were sent to. `onPasswordReset` does it for a reset. */
function endOfResetLinks(pool: Pool) {
  return {
    account: {
      update: {
        after: async ({ providerId, userId }) => {
          if (providerId === "credential") await forgetResetLinks(pool, userId);
        },
      },
    },
    user: {
      update: {
        after: async ({ id }, ctx) => {
          if (ctx?.path === "/verify-email") await forgetResetLinks(pool, id);
        },
      },
    },
  } satisfies BetterAuthOptions["databaseHooks"];
}

/** A link to choose a password is for the password that was forgotten, not for one chosen since. */
async function forgetResetLinks(pool: Pool, userId: string): Promise<void> {
  const links = `DELETE FROM verification WHERE value = $1 AND starts_with(identifier, 'reset-password:')`;
  await query(pool, links, [userId]);
}

/** Whether a token is for a change of the address, rather than for a new account. */
function isChange(token: string): boolean {
  const payload = Buffer.from(token.split(".")[1] ?? "", "base64url").toString();
  return "updateTo" in (JSON.parse(payload) as object);
}

/**
 * Leads to the sign-in page, whoever follows it: a new account may have been made by somebody else. The account page
 * does the same with who is signed out.
 */
function verificationLink(url: string, token: string, change = isChange(token) && "changed") {
  const callbackURL = change ? `/account?email=${change}` : "/sign-in?verified=yes";
  return `${url}/api/auth/verify-email?${new URLSearchParams({ token, callbackURL })}`;
}
