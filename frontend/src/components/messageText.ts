const MAX_LENGTH = 32_000;

const count = (length: number) => length.toLocaleString("en");

/** The error to show for a text that the API would refuse. */
export function tooLong(text: string): string | null {
  if (text.length <= MAX_LENGTH) return null;
  return `Too long: ${count(text.length)} of ${count(MAX_LENGTH)} characters.`;
}

export const isSendable = (text: string) => text.trim() !== "" && tooLong(text) === null;
