import { NextResponse } from "next/server";
import { getAuth } from "@/lib/auth";
import { config } from "@/lib/config";
import { eraseAccount, NotErased, type Confirmation } from "@/lib/erasure";

const NOT_A_CONFIRMATION = new NotErased(400, "NOT_CONFIRMED", "Confirm with your e-mail address.");

/**
 * Takes `{ email, password? }`, erases everything of the signed-in user, and answers 204. Any other answer has a
 * `code` and a `message`, and may be followed by another attempt.
 */
export async function POST(request: Request) {
  try {
    // As Better Auth demands of its own endpoints.
    if (request.headers.get("Origin") !== new URL(config.authUrl).origin) {
      throw new NotErased(403, "INVALID_ORIGIN", "This request comes from another page.");
    }
    await eraseAccount(request.headers, await confirmationIn(request));
    return await forgotten();
  } catch (error) {
    if (!(error instanceof NotErased)) throw error;
    const { status, code, message, waitS } = error;
    const headers: HeadersInit = waitS ? { "Retry-After": String(waitS) } : {};
    return NextResponse.json({ code, message }, { status, headers });
  }
}

async function confirmationIn(request: Request): Promise<Confirmation> {
  const body = (await request.json().catch(() => null)) as Partial<Confirmation> | null;
  const { email, password } = body ?? {};
  if (typeof email !== "string" || !["string", "undefined"].includes(typeof password)) {
    throw NOT_A_CONFIRMATION;
  }
  return { email, password };
}

/** The browser forgets as well: its session, that it is known, drafts. */
async function forgotten(): Promise<NextResponse> {
  const response = new NextResponse(null, { status: 204 });
  response.headers.set("Clear-Site-Data", '"storage"');
  const { authCookies, createAuthCookie } = await (await getAuth()).$context;
  const own = ["device", "sign_up"].map((name) => createAuthCookie(name));
  for (const { name, attributes } of [...Object.values(authCookies), ...own]) {
    // A cookie named `__Host-` is only taken if it says again that it is secure.
    const { path, secure } = attributes;
    response.cookies.set(name, "", { path, secure, httpOnly: true, sameSite: "lax", maxAge: 0 });
  }
  return response;
}
