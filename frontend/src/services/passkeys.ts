import { ask } from "./account";
import { call, type Answer } from "./auth";
import { ApiError } from "./errors";

export interface Passkey {
  id: string;
  name?: string | null;
  createdAt?: string | null;
  /** Whether it is kept by an account of the user's, so that it survives the loss of the device. */
  backedUp: boolean;
}

const UNSUPPORTED = "This browser knows no passkeys.";
const CANCELLED = "The passkey was not used: you cancelled, or it took too long.";
const KNOWN = "This device has a passkey for your account already.";

export const listPasskeys = () => ask<Passkey[]>("/passkey/list-user-passkeys");

export const removePasskey = (id: string) => ask("/passkey/delete-passkey", { id });

/** Has the browser make a passkey for the signed-in user. */
export async function addPasskey(name: string): Promise<void> {
  requireSupport();
  const options = await ask<PublicKeyCredentialCreationOptionsJSON>(
    "/passkey/generate-register-options",
  );
  const response = await withBrowser(() =>
    navigator.credentials.create({
      publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options),
    }),
  );
  await ask("/passkey/verify-registration", { response, name });
}

/** Lets the browser offer the passkeys that it has for this page. */
export async function signInWithPasskey(): Promise<Answer<unknown>> {
  requireSupport();
  const { data, refusal } = await call<PublicKeyCredentialRequestOptionsJSON>(
    "/passkey/generate-authenticate-options",
  );
  if (!data) return { refusal };
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON({
    ...data,
    userVerification: "required",
  });
  const response = await withBrowser(() => navigator.credentials.get({ publicKey }));
  return call("/passkey/verify-authentication", { response });
}

function requireSupport() {
  if (!("PublicKeyCredential" in window && "parseCreationOptionsFromJSON" in PublicKeyCredential)) {
    throw new ApiError(UNSUPPORTED, 400);
  }
}

async function withBrowser(act: () => Promise<Credential | null>): Promise<unknown> {
  const credential = await act().catch((error: unknown) => {
    throw new ApiError(isKnown(error) ? KNOWN : CANCELLED, 400);
  });
  return (credential as PublicKeyCredential).toJSON();
}

const isKnown = (error: unknown) =>
  error instanceof DOMException && error.name === "InvalidStateError";
