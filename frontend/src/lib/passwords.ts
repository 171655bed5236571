import "server-only";

/** What an attacker who guesses online may reach. A longer or rarer password is the user's own choice. */
const COMMON_BELOW_GUESSES = 1e6;
/** The estimate takes time that grows with the square of the length. */
const ESTIMATED_CHARACTERS = 64;

async function loadEstimator() {
  const [{ ZxcvbnFactory }, { dictionary, adjacencyGraphs }] = await Promise.all([
    import("@zxcvbn-ts/core"),
    import("@zxcvbn-ts/language-common"),
  ]);
  return new ZxcvbnFactory({ dictionary, graphs: adjacencyGraphs });
}

let estimator: ReturnType<typeof loadEstimator> | undefined;

/** Whether it is a common password, or made of one, of a sequence, of keys side by side, or of the person's own words. */
export async function isCommonPassword(password: string, ownWords: string[]): Promise<boolean> {
  estimator ??= loadEstimator();
  const words = ownWords.flatMap((text) => text.slice(0, 200).split(/[^\p{L}\p{N}]+/u));
  const known = ["parley", ...words].filter((word) => word.length > 2);
  const { guesses } = (await estimator).check(password.slice(0, ESTIMATED_CHARACTERS), known);
  return guesses < COMMON_BELOW_GUESSES;
}
