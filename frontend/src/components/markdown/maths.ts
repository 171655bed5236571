import type { Extension as FromMarkdown, Handle } from "mdast-util-from-markdown";
import type {
  Code,
  Construct,
  Extension,
  State,
  TokenizeContext,
  Tokenizer,
} from "micromark-util-types";
import { measured } from "./measured";

declare module "micromark-util-types" {
  interface TokenTypeMap {
    maths: "maths";
    mathsLine: "mathsLine";
    mathsBlock: "mathsBlock";
    mathsFence: "mathsFence";
  }
}

const CLOSING: Partial<Record<string, string>> = { $: "$", $$: "$$", "\\(": "\\)", "\\[": "\\]" };
const MAX_LENGTH = 500;

const isLineEnding = (code: Code): code is null | -5 | -4 | -3 => code === null || code < -2;
const isAlphanumeric = (code: Code) =>
  code !== null && code > 0 && /[\p{L}\p{N}]/u.test(String.fromCharCode(code));

function openingOf(text: string): string {
  return text.startsWith("$$") || text.startsWith("\\") ? text.slice(0, 2) : text.slice(0, 1);
}

export interface Formula {
  tex: string;
  isDisplay: boolean;
}

/** What stands between the delimiters of a formula. */
export function formulaOf(source: string): Formula {
  const opening = openingOf(source);
  const inner = source.slice(opening.length, -opening.length).trim();
  const tex = inner.replace(/^`([^]*)`$/, "$1");
  return { tex, isDisplay: opening === "$$" || opening === "\\[" };
}

/** Two words in a row, or an amount and a word: `$5 (US$)` and `\(see below\)` are not maths. */
function isProse(tex: string): boolean {
  const bare = tex.replace(/\\[a-z]+\*?/gi, " ").replace(/\{[^{}]*\}/g, " ");
  return (
    /\p{L}{2,}[\s,]+\p{L}{2,}/u.test(bare) ||
    /^\s*[\d.,]+[^\\]*\p{L}{2,}/u.test(bare) ||
    /[^\p{ASCII}\p{Script=Greek}\p{Sm}\p{P}\s]/u.test(bare)
  );
}

function isClosed(text: string): boolean {
  const opening = openingOf(text);
  const closing = CLOSING[opening] ?? "";
  return (
    closing !== "" &&
    text.length > opening.length + closing.length - 1 &&
    text.endsWith(closing) &&
    !(closing.startsWith("$") && text.endsWith(`\\${closing}`))
  );
}

function formulaLength(text: string, previous: Code, next: Code): number {
  const opening = openingOf(text);
  if (!isClosed(text)) return 0;
  const inner = text.slice(opening.length, -opening.length);
  if (inner.trim() === "" || isProse(inner)) return 0;
  if (opening === "$" && (/^\s|\s$/.test(inner) || isAlphanumeric(next))) return 0;
  // Elsewhere, these are brackets that need no backslash.
  if (opening === "\\[" && !(isLineEnding(previous) && isLineEnding(next))) return 0;
  return text.length;
}

const inText = measured({
  type: "maths",
  lineType: "mathsLine",
  previous: (code) => code !== 36 && code !== 92 && !isAlphanumeric(code),
  readsOn: (text, code) =>
    text.length < MAX_LENGTH &&
    !(text.length > 1 && isClosed(text)) &&
    !(text.length === 2 && !CLOSING[openingOf(text)]) &&
    !(openingOf(text) === "$" && text.length > 1 && isLineEnding(code)),
  length: formulaLength,
});

/**
 * A formula in lines of its own, between `$$` or `\[` and its counterpart. It ends at a blank line in any case, so that
 * a stray `$$` takes no more than its paragraph.
 */
const tokenizeBlock: Tokenizer = function (this: TokenizeContext, effects, ok, nok) {
  const { parser } = this;
  const isInterrupt = this.interrupt;
  const now = () => this.now();
  let opening = "";

  const closingLine: Construct = {
    partial: true,
    tokenize: (inner, found, notFound) => {
      let line = "";
      return (code) => {
        enterLine(inner, code);
        inner.enter("mathsFence");
        return read;
      };
      function read(code: Code): State | undefined {
        if (!isLineEnding(code)) {
          line += code < 0 ? " " : String.fromCharCode(code);
          inner.consume(code);
          return read;
        }
        inner.exit("mathsFence");
        return line.trim() === CLOSING[opening] ? found(code) : notFound(code);
      }
    },
  };

  const furtherLine: Construct = {
    partial: true,
    tokenize: (inner, found, notFound) => {
      return (code) => {
        if (code === null) return notFound(code);
        enterLine(inner, code);
        return parser.lazy[now().line] ? notFound : read;
      };
      function read(code: Code): State | undefined {
        if (isLineEnding(code)) return notFound(code);
        if (code !== null && code > 0 && code !== 32) return found(code);
        inner.consume(code);
        return read;
      }
    },
  };

  function enterLine(inner: typeof effects, code: Code) {
    inner.enter("lineEnding");
    inner.consume(code);
    inner.exit("lineEnding");
  }

  function fence(code: Code): State | undefined {
    if (!isLineEnding(code)) {
      opening += code < 0 ? " " : String.fromCharCode(code);
      effects.consume(code);
      return opening.trimEnd().length > 2 ? nok : fence;
    }
    opening = opening.trimEnd();
    if (opening !== "$$" && opening !== "\\[") return nok(code);
    effects.exit("mathsFence");
    return isInterrupt ? ok(code) : atLineEnding(code);
  }

  function atLineEnding(code: Code): State | undefined {
    const otherwise = effects.attempt(closingLine, end, line);
    return effects.check(furtherLine, otherwise, end)(code);
  }

  function line(code: Code): State | undefined {
    enterLine(effects, code);
    effects.enter("mathsLine");
    return content;
  }

  function content(code: Code): State | undefined {
    if (!isLineEnding(code)) {
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
    return fence(code);
  };
};

const inLines: Construct = { concrete: true, tokenize: tokenizeBlock };

export const maths: Extension = {
  flow: { 36: inLines, 92: inLines },
  text: { 36: inText, 92: inText },
};

/** A formula with its delimiters. mdast has no node for it. */
declare module "mdast" {
  interface Formula extends Literal {
    type: "formula";
  }
  interface RootContentMap {
    formula: Formula;
  }
  interface PhrasingContentMap {
    formula: Formula;
  }
}

const enterFormula: Handle = function (token) {
  this.enter({ type: "formula", value: "" }, token);
};

/** The source, line by line: the marks of a quote around it are not part of it. */
const exitLine: Handle = function (token) {
  const formula = this.stack.at(-1);
  if (formula?.type !== "formula") return;
  const line = this.sliceSerialize(token);
  formula.value = formula.value ? `${formula.value}\n${line}` : line;
};

const exitFormula: Handle = function (token) {
  this.exit(token);
};

/** Without its end, it is shown as the text that it is. */
const exitBlock: Handle = function (token) {
  const node = this.stack.at(-1);
  this.exit(token);
  if (node?.type !== "formula") return;
  const { value } = node;
  if (value.includes("\n") && isClosed(value.trimEnd())) return;
  Object.assign(node, { type: "paragraph", children: [{ type: "text", value }], value: undefined });
};

export const mathsFromMarkdown: FromMarkdown = {
  enter: { maths: enterFormula, mathsBlock: enterFormula },
  exit: { maths: exitFormula, mathsBlock: exitBlock, mathsLine: exitLine, mathsFence: exitLine },
};
