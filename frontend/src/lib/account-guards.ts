import "server-only";
import {
  APIError,
  createAuthMiddleware,
  getIP,
  getSessionFromCtx,
  isAPIError,
} from "better-auth/api";
import { randomUUID } from "node:crypto";
import {
  limitKey,
  type COUNTED_BY_ADDRESS,
  type COUNTED_BY_USER,
  type Limit,
  type Limits,
} from "./limits";
import { isEasyToGuess, isTooShort } from "./passwords";
import { pagesOnSite } from "./redirects";
import { confirmOwnPassword, forgetSignUp, hasSignedUpHere, rememberSignUp } from "./sign-ups";

type Context = Parameters<Parameters<typeof createAuthMiddleware>[0]>[0];
type Values = Record<string, unknown>;
type Mail = Extract<(typeof COUNTED_BY_ADDRESS)[number], `${string} mail`>;

/** Wrong passwords in a window: for one account from devices that have never signed in to it, and for one address. */
const FOR_AN_ACCOUNT = 5;
const FOR_AN_ADDRESS = 20;
const SIGN_UPS_OF_AN_ADDRESS = 20;
const MAILS_TO_AN_ADDRESS = 5;
const TEXT_MAX = 254;
const DEPTH_MAX = 16;
const DEVICE_MAX_AGE_S = 400 * 24 * 60 * 60; // The longest that browsers keep a cookie.

/** What each endpoint sends, and the field that says to whom. */
const MAILS: Record<string, { kind: Mail; to: string }> = {
  "/sign-up/email": { kind: "sign-up mail", to: "email" },
  "/send-verification-email": { kind: "confirmation mail", to: "email" },
  "/request-password-reset": { kind: "reset mail", to: "email" },
  "/change-email": { kind: "change mail", to: "newEmail" },
};

const WRONG = { code: "INVALID_EMAIL_OR_PASSWORD", message: "Invalid email or password" };
const UNCONFIRMED = { code: "EMAIL_NOT_VERIFIED", message: "Email not verified" };

/** What must hold before an endpoint of Better Auth runs, and what follows from how it ended. */
export function guards(limits: Limits) {
  return {
    before: createAuthMiddleware(async (ctx) => {
      refuseNul([ctx.body, ctx.query, ctx.params]);
      const body = valuesOf(ctx.body);
      refuseLongText(body.name, body.email, body.newEmail, body.image);
      const pages = { body: onSite(ctx, body), query: onSite(ctx, valuesOf(ctx.query)) };
      await guard(limits, ctx, body);
      const isChange = ctx.path === "/change-password";
      return {
        context: {
          ...(ctx.body && {
            body: { ...body, ...pages.body, ...(isChange && { revokeOtherSessions: true }) },
          }),
          ...(ctx.query && { query: { ...ctx.query, ...pages.query } }),
        },
      };
    }),
    after: createAuthMiddleware(async (ctx) => {
      if (ctx.path === "/sign-up/email") return rememberSignUp(ctx);
      if (ctx.path === "/sign-in/email") return afterSignIn(limits, ctx);
      if (isAPIError(ctx.context.returned)) return;
      const right = await guessLimit(ctx, valuesOf(ctx.body));
      if (right.length > 0) await limits.forget(right.map(({ key }) => key));
    }),
  };
}

const valuesOf = (values: unknown): Values => (values ?? {}) as Values;

async function guard(limits: Limits, ctx: Context, body: Values): Promise<void> {
  if (ctx.path === "/verify-email") return confirmOwnPassword(ctx);
  await refuseBadPassword(ctx, body);
  const mail = MAILS[ctx.path];
  await take(limits, [
    ...(ctx.path === "/sign-up/email" ? ofClient(ctx, "sign-up", SIGN_UPS_OF_AN_ADDRESS) : []),
    ...(ctx.path === "/sign-in/email" ? await signInLimits(ctx, body.email) : []),
    ...(mail ? mailTo(mail.kind, body[mail.to]) : []),
    ...(await guessLimit(ctx, body)),
  ]);
}

async function take(limits: Limits, asked: Limit[]): Promise<void> {
  const waitS = asked.length > 0 ? await limits.take(asked) : 0;
  if (waitS === 0) return;
  throw new APIError(
    "TOO_MANY_REQUESTS",
    { code: "TOO_MANY_ATTEMPTS", message: "Too many attempts." },
    { "Retry-After": String(waitS) },
  );
}

async function refuseBadPassword(ctx: Context, body: Values): Promise<void> {
  const password = ctx.path === "/sign-up/email" ? body.password : body.newPassword;
  if (typeof password !== "string") return; // Better Auth refuses it, if there must be one.
  if (isTooShort(password)) {
    throw new APIError("BAD_REQUEST", {
      code: "PASSWORD_TOO_SHORT",
      message: "Password too short",
    });
  }
  if (!(await isEasyToGuess(password, await ownTexts(ctx, body)))) return;
  throw new APIError("BAD_REQUEST", {
    code: "PASSWORD_TOO_EASY",
    message: "This password is easy to guess. Choose another one.",
  });
}

/** Name and address of whom a new password is for. */
async function ownTexts(ctx: Context, body: Values): Promise<string[]> {
  if (ctx.path === "/sign-up/email") return [String(body.name), String(body.email)];
  const user =
    ctx.path === "/reset-password"
      ? await ownerOfLink(ctx, body.token || valuesOf(ctx.query).token)
      : (await getSessionFromCtx(ctx))?.user;
  return user ? [user.name, user.email] : [];
}

async function ownerOfLink(ctx: Context, token: unknown) {
  const { internalAdapter } = ctx.context;
  const link = await internalAdapter.findVerificationValue(`reset-password:${String(token)}`);
  return link && (await internalAdapter.findUserById(link.value));
}

/** A token carries name and address, and has to fit into a header. */
function refuseLongText(...texts: unknown[]): void {
  if (texts.every((text) => String(text ?? "").length <= TEXT_MAX)) return;
  throw new APIError("BAD_REQUEST", { code: "TEXT_TOO_LONG", message: "This is too long." });
}

/** PostgreSQL keeps any character but NUL. What is nested deeper than any request of ours is not searched. */
function refuseNul(given: unknown, depth = 0): void {
  if (depth > DEPTH_MAX || (typeof given === "string" && given.includes("\0"))) {
    throw new APIError("BAD_REQUEST", { code: "INVALID_TEXT", message: "This cannot be kept." });
  }
  if (!given || typeof given !== "object") return;
  for (const inner of Object.entries(given).flat()) refuseNul(inner, depth + 1);
}

/** The pages that Better Auth is to lead to, as it may be given them. It would take `/.//evil.example`. */
function onSite(ctx: Context, values: Values): Values {
  const { pages, strange } = pagesOnSite(values, ctx.context.options.baseURL as string);
  if (!strange) return pages;
  throw new APIError("FORBIDDEN", {
    code: "INVALID_CALLBACK_URL",
    message: `Invalid ${strange}`,
  });
}

export const mailTo = (kind: Mail, email: unknown): Limit[] => [
  { key: limitKey(kind, String(email)), max: MAILS_TO_AN_ADDRESS },
];

/** No limit without an address: everybody would share it. */
function ofClient(ctx: Context, kind: string, max: number): Limit[] {
  const address = ctx.headers && getIP(ctx.headers, ctx.context.options);
  return address ? [{ key: limitKey(`${kind} from`, address), max }] : [];
}

/** What somebody who is signed in could find out by trying, so that a session found open gives no password away. */
async function guessLimit(ctx: Context, body: Values): Promise<Limit[]> {
  if (/^\/sign-(in|up)\//.test(ctx.path)) return [];
  let kind: (typeof COUNTED_BY_USER)[number];
  if ((body.password ?? body.currentPassword) !== undefined) kind = "password";
  else if (ctx.path.startsWith("/two-factor/") && body.code !== undefined) kind = "code";
  else return [];
  const session = await getSessionFromCtx(ctx);
  return session ? [{ key: limitKey(kind, session.user.id), max: FOR_AN_ACCOUNT }] : [];
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

/**
 * A right password counts from zero, also where a code must follow. For an account that is not confirmed, it is
 * answered like a wrong one: otherwise somebody could sign up, sign in, and so learn whether an account was made. Who
 * has signed up in this browser is told to confirm, whether an account was made or not, and not counted for it.
 */
async function afterSignIn(limits: Limits, ctx: Context): Promise<Response | undefined> {
  const { newSession, returned } = ctx.context;
  const given = ctx.body as { email: string; password: string };
  const code = isAPIError(returned) ? returned.body?.code : undefined;
  if (newSession) {
    const [own, client] = await signInLimits(ctx, given.email);
    await limits.forget([own!.key]);
    if (client) await limits.giveBack([client.key]);
    await rememberDevice(ctx, given.email);
    forgetSignUp(ctx);
  } else if (code === WRONG.code || code === UNCONFIRMED.code) {
    if (!(await hasSignedUpHere(ctx, given))) return Response.json(WRONG, { status: 401 });
    await limits.giveBack((await signInLimits(ctx, given.email)).map(({ key }) => key));
    return Response.json(UNCONFIRMED, { status: 403 });
  }
}

async function rememberDevice(ctx: Context, email: string): Promise<void> {
  const { name, attributes } = ctx.context.createAuthCookie("device", {
    maxAge: DEVICE_MAX_AGE_S,
  });
  const device = `${limitKey("sign-in", email)}:${randomUUID()}`;
  await ctx.setSignedCookie(name, device, ctx.context.secret, attributes);
}
