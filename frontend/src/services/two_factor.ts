import { ask } from "./account";
import { call } from "./auth";

export interface Enrolment {
  /** For an authenticator app: `otpauth://totp/…`. */
  totpURI: string;
  backupCodes: string[];
}

/** Takes effect when the first code has been verified. */
export const enableTwoFactor = (password: string) =>
  ask<Enrolment>("/two-factor/enable", { password });

export const verifyFirstCode = (code: string) => ask("/two-factor/verify-totp", { code });

export const disableTwoFactor = (password: string) => ask("/two-factor/disable", { password });

/** The old codes are no longer valid. */
export async function renewBackupCodes(password: string): Promise<string[]> {
  const path = "/two-factor/generate-backup-codes";
  return (await ask<{ backupCodes: string[] }>(path, { password })).backupCodes;
}

/** The second step of a sign-in. A backup code, unlike one of an app, is not made of digits only. */
export function signInWithCode(code: string) {
  const digits = code.replaceAll(/\s/g, "");
  return /^\d{6}$/.test(digits)
    ? call("/two-factor/verify-totp", { code: digits })
    : call("/two-factor/verify-backup-code", { code: code.trim() });
}
