import type { Refusal } from "@/services/auth";

const TEXTS: Record<string, string> = {
  EMAIL_NOT_VERIFIED: "Confirm your e-mail address first: open the link that we sent you.",
  INVALID_TOKEN: "This link is no longer valid.",
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
