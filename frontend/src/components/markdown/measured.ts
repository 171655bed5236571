import type { Code, Construct, State, TokenizeContext, TokenType } from "micromark-util-types";

interface Measure {
  type: TokenType;
  /** The type of each line's part of the text. */
  lineType: TokenType;
  /** Whether the text can begin after this character. */
  previous: (code: Code) => boolean;
  /** Whether to read this character as well, after what is read already. */
  readsOn: (text: string, code: NonNullable<Code>) => boolean;
  /** How many characters of what was read belong to it. 0 if there is no such thing here. */
  length: (text: string, previous: Code, next: Code) => number;
}

const isLineEnding = (code: Code) => code !== null && code < -2;

/** Micromark's codes below 0 stand for line endings and for tabs. */
function characterOf(code: NonNullable<Code>): string {
  if (code >= 0) return String.fromCharCode(code);
  return isLineEnding(code) ? "\n" : " ";
}

/** A construct of a text that is easier to measure as a string than to read character by character. */
export function measured({ type, lineType, previous, readsOn, length }: Measure): Construct {
  return {
    previous,
    tokenize(this: TokenizeContext, effects, ok, nok) {
      const before = this.previous;
      let left = 0;

      const measure: Construct = {
        partial: true,
        tokenize(inner, found, notFound) {
          let text = "";
          return function read(code): State | undefined {
            if (code !== null && readsOn(text, code)) {
              // Micromark's build for development demands a token. It is dropped with the rest of the check.
              if (text === "") inner.enter(type);
              text += characterOf(code);
              inner.consume(code);
              return read;
            }
            left = length(text, before, code);
            return left > 0 ? found(code) : notFound(code);
          };
        },
      };

      function start(code: Code): State | undefined {
        effects.enter(type);
        effects.enter(lineType);
        return consume(code);
      }

      function consume(code: Code): State | undefined {
        if (left === 0) {
          effects.exit(lineType);
          effects.exit(type);
          return ok(code);
        }
        left -= 1;
        if (!isLineEnding(code)) {
          effects.consume(code);
          return consume;
        }
        effects.exit(lineType);
        effects.enter("lineEnding");
        effects.consume(code);
        effects.exit("lineEnding");
        effects.enter(lineType);
        return consume;
      }

      return (code) => (previous(before) ? effects.check(measure, start, nok)(code) : nok(code));
    },
  };
}
