import type { Refusal } from "./auth";

const TEXTS: Record<string, string> = {
  EMAIL_NOT_VERIFIED: "Confirm your e-mail address first: open the link that we sent you.",
  INVALID_TOKEN: "This link is no longer valid.",
  INVALID_PASSWORD: "This is not your current password.",
  INVALID_CODE: "This code is not right. Codes change every 30 seconds.",
  INVALID_BACKUP_CODE: "This backup code is not right, or has been used already.",
  INVALID_TWO_FACTOR_COOKIE: "That took too long. Enter your password again.",
  TOO_MANY_ATTEMPTS_REQUEST_NEW_CODE: "That was wrong too often. Enter your password again.",
  PASSKEY_NOT_FOUND: "This passkey belongs to no account here.",
  SESSION_NOT_FRESH: "You signed in more than a day ago. Sign in again to go on.",
};

function wait(seconds: number): string {
  if (seconds < 90) return seconds === 1 ? "1 second" : `${seconds} seconds`;
  return `${Math.ceil(seconds / 60)} minutes`;
}

export function explainRefusal({ status, code, message, waitS }: Refusal): string {
  if (status === 429) return `Too many attempts. Try again in ${wait(waitS || 60)}.`;
  if (status === 0 || status >= 500) return "The server cannot be reached. Please try again.";
  const text = code && TEXTS[code];
  return text || message || "That did not work. Please check what you entered.";
}
