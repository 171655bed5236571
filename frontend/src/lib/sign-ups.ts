import "server-only";
import { getSessionFromCtx, isAPIError, type createAuthMiddleware } from "better-auth/api";
import { verifyJWT } from "better-auth/crypto";
import { createHmac, randomBytes } from "node:crypto";

type Context = Parameters<Parameters<typeof createAuthMiddleware>[0]>[0];

interface SignUp {
  email: string;
  password: string;
}

const MAX_AGE_S = 24 * 60 * 60;
/** As long as other links in mails. */
const LINK_MS = 60 * 60 * 1000;

const cookie = (ctx: Context) => ctx.context.createAuthCookie("sign_up", { maxAge: MAX_AGE_S });

/** Tells nothing without the secret. */
function markOf(ctx: Context, { email, password }: SignUp): string {
  const text = JSON.stringify(["sign-up", email.toLowerCase(), password]);
  return createHmac("sha256", ctx.context.secret).update(text).digest("base64url");
}

/** The account that this browser has signed up for, and the mark of its address and password. */
async function signUpHere(ctx: Context): Promise<{ userId?: string; mark?: string }> {
  const value = await ctx.getSignedCookie(cookie(ctx).name, ctx.context.secret);
  const [userId, mark] = value ? value.split(" ") : [];
  return { userId, mark };
}

/** Also where the address is taken: Better Auth answers with an account that does not exist. */
export async function rememberSignUp(ctx: Context): Promise<void> {
  const { emailAndPassword } = ctx.context.options;
  const { returned } = ctx.context;
  if (!emailAndPassword?.requireEmailVerification || !returned || isAPIError(returned)) return;
  const mark = markOf(ctx, ctx.body as SignUp);
  // Somebody who does the same again has still given the password of the first time.
  if ((await signUpHere(ctx)).mark === mark) return;
  const { id } = (returned as { user: { id: string } }).user;
  const { name, attributes } = cookie(ctx);
  await ctx.setSignedCookie(name, `${id} ${mark}`, ctx.context.secret, attributes);
}

export function forgetSignUp(ctx: Context): void {
  const { name, attributes } = cookie(ctx);
  ctx.setCookie(name, "", { ...attributes, maxAge: 0 });
}

/** Whether this browser has signed up with this address and password, which need not mean that an account was made. */
export async function hasSignedUpHere(ctx: Context, given: SignUp): Promise<boolean> {
  return (await signUpHere(ctx)).mark === markOf(ctx, given);
}

/**
 * A link confirms an address together with the password of its account. Whoever opens it in another browser may not
 * have chosen that password, and chooses one first.
 */
export async function confirmOwnPassword(ctx: Context): Promise<void> {
  const { token } = ctx.query as { token?: unknown };
  const link = await verifyJWT<{ email: string; userId?: string; updateTo?: string }>(
    String(token),
    ctx.context.secret,
  );
  if (!link || link.updateTo) return;
  const { internalAdapter } = ctx.context;
  const { user } = (await internalAdapter.findUserByEmail(link.email)) ?? {};
  if (!user || user.emailVerified || user.id !== link.userId) return;
  if ((await signUpHere(ctx)).userId === user.id) return;
  if ((await getSessionFromCtx(ctx))?.user.id === user.id) return;
  const reset = randomBytes(18).toString("base64url");
  await internalAdapter.createVerificationValue({
    identifier: `reset-password:${reset}`,
    value: user.id,
    expiresAt: new Date(Date.now() + LINK_MS),
  });
  throw ctx.redirect(`/reset-password?confirms=yes&token=${reset}`);
}
