/** As the API counts: characters, not the units of UTF-16, of which an emoji has two. */
const MAX_CHARACTERS = 1_500;

const charactersOf = (text: string) => [...text].length;

export function instructionsCount(text: string): { text: string; isTooLong: boolean } {
  const count = charactersOf(text);
  const number = (value: number) => value.toLocaleString("en");
  return {
    text: `${number(count)} of ${number(MAX_CHARACTERS)} characters`,
    isTooLong: count > MAX_CHARACTERS,
  };
}
