import "server-only";

export const LEAST_CHARACTERS = 10;
/** Better Auth refuses longer ones. */
const MOST_UNITS = 128;
/** The estimator's "safely unguessable": it takes an attacker more than 100 million tries. */
const GOOD_SCORE = 3;
/** The estimate takes time that grows with the square of the length. */
const JUDGED_CHARACTERS = 64;

/** Counted as people count: an emoji is one character, however many code points it has. */
export function isTooShort(password: string): boolean {
  return [...new Intl.Segmenter().segment(password.slice(0, MOST_UNITS))].length < LEAST_CHARACTERS;
}

async function loadEstimator() {
  const [{ ZxcvbnFactory }, { dictionary, adjacencyGraphs }] = await Promise.all([
    import("@zxcvbn-ts/core"),
    import("@zxcvbn-ts/language-common"),
  ]);
  return new ZxcvbnFactory({ dictionary, graphs: adjacencyGraphs });
}

let estimator: ReturnType<typeof loadEstimator> | undefined;

/** Whether it is a common password, or made of one, of a sequence, of keys side by side or of the person's own words. */
export async function isEasyToGuess(password: string, ownTexts: string[]): Promise<boolean> {
  estimator ??= loadEstimator();
  const texts = ["parley", ...ownTexts.map((text) => text.slice(0, 200))];
  const words = texts.flatMap((text) => [text, ...text.split(/[^\p{L}\p{N}]+/u)]);
  const known = words.filter((word) => word.length > 2);
  return (await estimator).check(password.slice(0, JUDGED_CHARACTERS), known).score < GOOD_SCORE;
}
