import "server-only";
import { APIError, createAuthMiddleware, getIP, isAPIError } from "better-auth/api";
import { randomUUID } from "node:crypto";
import { limitKey, type Limit, type Limits } from "./limits";
import { isEasyToGuess } from "./passwords";

type Context = Parameters<Parameters<typeof createAuthMiddleware>[0]>[0];
type Body = Record<string, unknown>;

/** Wrong passwords in a window: for one account from devices that have never signed in to it, and for one address. */
const FOR_AN_ACCOUNT = 5;
const FOR_AN_ADDRESS = 20;
const SIGN_UPS_OF_AN_ADDRESS = 20;
const MAILS_TO_AN_ADDRESS = 5;
const TEXT_MAX = 254;
const DEVICE_MAX_AGE_S = 400 * 24 * 60 * 60; // The longest that browsers keep a cookie.

/** What must hold before an endpoint of Better Auth runs, and what follows from how it ended. */
export function guards(limits: Limits) {
  return {
    before: createAuthMiddleware(async (ctx) => {
      const body = (ctx.body ?? {}) as Body;
      switch (ctx.path) {
        case "/update-user":
          return refuseLongText(body.name);
        case "/sign-up/email":
          refuseLongText(body.name, body.email);
          await refuseEasyPassword(body.password, [body.name, body.email]);
          return take(limits, [
            ...ofClient(ctx, "sign-up", SIGN_UPS_OF_AN_ADDRESS),
            ...mailTo(body.email),
          ]);
        case "/request-password-reset":
        case "/send-verification-email":
          return take(limits, mailTo(body.email));
        case "/change-email":
          return take(limits, mailTo(body.newEmail));
        case "/reset-password":
          return refuseEasyPassword(body.newPassword, []);
        case "/change-password":
          await refuseEasyPassword(body.newPassword, []);
          return { context: { body: { ...body, revokeOtherSessions: true } } };
        case "/sign-in/email":
          return take(limits, await signInLimits(ctx, body.email));
      }
    }),
    after: createAuthMiddleware(async (ctx) => {
      if (ctx.path !== "/sign-in/email" || !wasPasswordRight(ctx)) return;
      const { email } = ctx.body as { email: string };
      const [own, client] = await signInLimits(ctx, email);
      await limits.forget([own!.key]);
      if (client) await limits.giveBack([client.key]);
      if (ctx.context.newSession) await rememberDevice(ctx, email);
    }),
  };
}

async function take(limits: Limits, asked: Limit[]): Promise<void> {
  const waitS = await limits.take(asked);
  if (waitS === 0) return;
  throw new APIError(
    "TOO_MANY_REQUESTS",
    { code: "TOO_MANY_ATTEMPTS", message: "Too many attempts." },
    { "Retry-After": String(waitS) },
  );
}

async function refuseEasyPassword(password: unknown, ownTexts: unknown[]): Promise<void> {
  if (typeof password !== "string" || password.length < 10) return; // Better Auth refuses it.
  if (!(await isEasyToGuess(password, ownTexts.map(String)))) return;
  throw new APIError("BAD_REQUEST", {
    code: "PASSWORD_TOO_EASY",
    message: "This password is easy to guess. Choose another one.",
  });
}

/** A token carries both, and has to fit into a header. */
function refuseLongText(...texts: unknown[]): void {
  if (texts.every((text) => String(text ?? "").length <= TEXT_MAX)) return;
  throw new APIError("BAD_REQUEST", { code: "TEXT_TOO_LONG", message: "This name is too long." });
}

export const mailTo = (email: unknown): Limit[] => [
  { key: limitKey("mail", String(email)), max: MAILS_TO_AN_ADDRESS },
];

/** No limit without an address: everybody would share it. */
function ofClient(ctx: Context, kind: string, max: number): Limit[] {
  const address = ctx.headers && getIP(ctx.headers, ctx.context.options);
  return address ? [{ key: limitKey(`${kind} from`, address), max }] : [];
}

/**
 * A browser that has signed in to the account before has a limit of its own, so that nobody can lock an account's
 * owner out by guessing (OWASP's "device cookies").
 */
async function signInLimits(ctx: Context, email: unknown): Promise<Limit[]> {
  const account = limitKey("sign-in", String(email));
  const { name } = ctx.context.createAuthCookie("device");
  const device = await ctx.getSignedCookie(name, ctx.context.secret);
  const isKnown = device && device.startsWith(`${account}:`);
  return [
    { key: isKnown ? device : account, max: FOR_AN_ACCOUNT },
    ...ofClient(ctx, "sign-in", FOR_AN_ADDRESS),
  ];
}

function wasPasswordRight({ context }: Context): boolean {
  const { newSession, returned } = context;
  return (
    Boolean(newSession) || (isAPIError(returned) && returned.body?.code === "EMAIL_NOT_VERIFIED")
  );
}

async function rememberDevice(ctx: Context, email: string): Promise<void> {
  const { name, attributes } = ctx.context.createAuthCookie("device", {
    maxAge: DEVICE_MAX_AGE_S,
  });
  const device = `${limitKey("sign-in", email)}:${randomUUID()}`;
  await ctx.setSignedCookie(name, device, ctx.context.secret, attributes);
}
