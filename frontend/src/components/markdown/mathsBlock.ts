import type {
  Code,
  Construct,
  Effects,
  State,
  TokenizeContext,
  Tokenizer,
} from "micromark-util-types";

const CLOSING: Partial<Record<string, string>> = { $$: "$$", "\\[": "\\]" };

const isEnd = (code: Code): code is null | -5 | -4 | -3 => code === null || code < -2;
const characterOf = (code: number) => (code < 0 ? " " : String.fromCharCode(code));

function consumeLineEnding(effects: Effects, code: Code) {
  effects.enter("lineEnding");
  effects.consume(code);
  effects.exit("lineEnding");
}

/** The next line, if it is nothing but the closing delimiter. */
const closingLine = (closing: string): Construct => ({
  partial: true,
  tokenize(effects, ok, nok) {
    let line = "";

    function read(code: Code): State | undefined {
      if (!isEnd(code)) {
        line += characterOf(code);
        effects.consume(code);
        return read;
      }
      effects.exit("mathsFence");
      return line.trim() === closing ? ok(code) : nok(code);
    }

    function start(code: Code): State | undefined {
      if (isEnd(code)) return nok(code);
      effects.enter("mathsFence");
      return read(code);
    }

    return (code) => {
      consumeLineEnding(effects, code);
      return start;
    };
  },
});

/** A next line within the same list item or quote that is not blank. */
const furtherLine: Construct = {
  partial: true,
  tokenize(this: TokenizeContext, effects, ok, nok) {
    function start(code: Code): State | undefined {
      effects.enter("whitespace");
      return read(code);
    }

    function read(code: Code): State | undefined {
      if (isEnd(code)) return nok(code);
      if (characterOf(code) !== " ") return ok(code);
      effects.consume(code);
      return read;
    }

    return (code) => {
      if (code === null) return nok(code);
      consumeLineEnding(effects, code);
      return this.parser.lazy[this.now().line] ? nok : start;
    };
  },
};

const tokenize: Tokenizer = function (this: TokenizeContext, effects, ok, nok) {
  const isInterrupt = this.interrupt;
  let opening = "";

  function open(code: Code): State | undefined {
    if (!isEnd(code)) {
      opening += characterOf(code);
      effects.consume(code);
      return opening.trimEnd().length > 2 ? nok : open;
    }
    if (!CLOSING[opening.trimEnd()]) return nok(code);
    effects.exit("mathsFence");
    return isInterrupt ? ok(code) : atLineEnding(code);
  }

  function atLineEnding(code: Code): State | undefined {
    const closing = closingLine(CLOSING[opening.trimEnd()] ?? "");
    return effects.check(furtherLine, effects.attempt(closing, end, line), end)(code);
  }

  function line(code: Code): State | undefined {
    consumeLineEnding(effects, code);
    effects.enter("mathsLine");
    return content;
  }

  function content(code: Code): State | undefined {
    if (!isEnd(code)) {
      effects.consume(code);
      return content;
    }
    effects.exit("mathsLine");
    return atLineEnding(code);
  }

  function end(code: Code): State | undefined {
    effects.exit("mathsBlock");
    return ok(code);
  }

  return (code) => {
    effects.enter("mathsBlock");
    effects.enter("mathsFence");
    return open(code);
  };
};

/**
 * A formula in lines of its own, between `$$` or `\[` and its counterpart. It ends at a blank line in any case, so that
 * a stray `$$` takes no more than its paragraph.
 */
export const mathsBlock: Construct = { concrete: true, tokenize };
