const MAX_LENGTH = 32_000;

const count = (length: number) => length.toLocaleString("en");

/** As the API counts them: an emoji of two UTF-16 units is one character. */
export function characterCount(text: string): number {
  return text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
}

/** The error to show for a text that the API would refuse. */
export function tooLong(text: string): string | null {
  const length = characterCount(text);
  if (length <= MAX_LENGTH) return null;
  return `Too long: ${count(length)} of ${count(MAX_LENGTH)} characters.`;
}

export const isSendable = (text: string) => text.trim() !== "" && tooLong(text) === null;
