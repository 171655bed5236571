import type { Extension as FromMarkdown, Handle } from "mdast-util-from-markdown";
import type { Code, Extension } from "micromark-util-types";
import { mathsBlock } from "./mathsBlock";
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

export const maths: Extension = {
  flow: { 36: mathsBlock, 92: mathsBlock },
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
