import type { Definition, FootnoteDefinition, List, RootContent } from "mdast";
import { isComplete, parse, walk } from "./parse";

/** A part of a text that means the same by itself, given the definitions of the whole. */
export interface Block {
  /** Where its first line starts in the text. */
  start: number;
  source: string;
  nodes: RootContent[];
  definitions: (Definition | FootnoteDefinition)[];
  /** The identifiers of links, images and footnotes that it refers to; those of footnotes begin with `^`. */
  references: string[];
  /** Present for a list or a table of which only the end has to be parsed again. */
  growth?: {
    start: number;
    opening: string;
  };
}

export interface MarkdownText {
  text: string;
  blocks: Block[];
  /** Identifiers with their definitions; the first of several counts. */
  definitions: ReadonlyMap<string, Definition | FootnoteDefinition>;
}

export const EMPTY: MarkdownText = { text: "", blocks: [], definitions: new Map() };

const BLANK_LINE = /(?:\r\n|\n|\r(?!\n))[ \t]*[\n\r]/;

/** Ends the last footnote, of which an indented line would otherwise be a part. */
const END = "[\ue000]: #\n\n";

/**
 * Reads a text that may be the previous one with more at its end. Then only the last block is parsed again, of a long
 * list or table only the last items, and earlier blocks that refer to what is newly defined.
 */
export function readMarkdown(text: string, previous: MarkdownText): MarkdownText {
  if (!text.startsWith(previous.text)) return readMarkdown(text, EMPTY);
  const kept = settled(previous);
  const last = kept.at(-1);
  const start = last ? last.start + last.source.length : 0;
  const grown = previous.blocks.length === kept.length + 1 && grow(text, previous);
  const whole = (): Block[] => blocksOf({ text, start, head: headOf(definitionsOf(kept)) });

  const blocks = [...kept, ...(grown || whole())];
  const definitions = definitionsOf(blocks);
  const changed = difference(previous.definitions, definitions);
  if (changed.length === 0) return { text, blocks, definitions };

  const head = headOf(definitions);
  const again = (block: Block) =>
    changed.some((label) => mentions(block, label))
      ? blocksOf({
          text: text.slice(0, block.start + block.source.length),
          start: block.start,
          head,
        })
      : [block];
  // What the tail defines is known where it is parsed as a whole.
  const tail = grown ? whole() : blocks.slice(kept.length);
  return { text, blocks: [...kept.flatMap(again), ...tail], definitions };
}

/** The blocks that take the place of the last one, if that is a long list or table; else undefined. */
function grow(text: string, { blocks, definitions }: MarkdownText): Block[] | undefined {
  const block = blocks.at(-1);
  if (!block?.growth) return undefined;
  const { start, opening } = block.growth;
  const [first, ...others] = blocksOf({ text, start, head: headOf(definitions), opening });
  const nodes = first && joined(block.nodes, first.nodes);
  if (!nodes) return undefined;
  const source = text.slice(block.start, first.start + first.source.length);
  return [{ ...first, start: block.start, source, nodes, ...particulars(nodes) }, ...others];
}

/** All but the last two items or rows of the first, with those of the other, which begin where they do. */
function joined([node]: RootContent[], others: RootContent[]): RootContent[] | undefined {
  const [other, ...rest] = others;
  if (node?.type === "list" && other?.type === "list") {
    // The last item turned out to be none, so that the list may not be loose any more.
    if (other.children.length < 2) return undefined;
    return [{ ...node, spread: isLoose(node, other), children: withEnd(node, other) }, ...rest];
  }
  if (node?.type !== "table" || other?.type !== "table") return undefined;
  const rows = { ...other, children: other.children.slice(1) };
  return [{ ...node, children: withEnd(node, rows) }, ...rest];
}

const isLoose = (...lists: List[]) => lists.some(({ spread }) => spread);

const withEnd = <T>(node: { children: T[] }, end: { children: T[] }) => [
  ...node.children.slice(0, -2),
  ...end.children,
];

/** The blocks that no further text changes. A first line that still grows may yet belong to the block before. */
function settled({ blocks }: MarkdownText): Block[] {
  const growing = blocks.findLastIndex(({ source }) => /[\n\r]/.test(source.trimStart()));
  return blocks.slice(0, Math.max(growing, 0));
}

interface Part {
  text: string;
  /** Where to begin. */
  start: number;
  /** Definitions of what is defined elsewhere. */
  head: string;
  /** The head of a table whose further rows follow. */
  opening?: string;
}

function blocksOf({ text, start, head, opening = "" }: Part): Block[] {
  const whole = head + opening + text.slice(start);
  const shift = start - head.length - opening.length;
  const groups: { start: number; nodes: RootContent[] }[] = [];
  let end = head.length;
  for (const node of parse(whole).children) {
    const [from, to] = extent(node);
    if (from < head.length) continue;
    const group = groups.at(-1);
    if (group && !BLANK_LINE.test(whole.slice(end, from))) group.nodes.push(node);
    else groups.push({ start: lineStart(whole, from), nodes: [node] });
    end = to;
  }
  return groups.map(({ start: first, nodes }, index) => {
    const from = index === 0 ? head.length : first;
    const source = whole.slice(from, groups.at(index + 1)?.start);
    markComplete(nodes, whole);
    const growth = growthOf(nodes, whole, shift);
    return { start: from + shift, source, nodes, growth, ...particulars(nodes) };
  });
}

function extent({ position }: RootContent): [from: number, to: number] {
  return [position?.start.offset ?? 0, position?.end.offset ?? 0];
}

/** The item before the last is parsed again with the last: the first line of the last may turn out to belong to it. */
function growthOf([node, ...others]: RootContent[], whole: string, shift: number): Block["growth"] {
  if (others.length > 0 || (node?.type !== "list" && node?.type !== "table")) return undefined;
  const { children } = node;
  const isTable = node.type === "table";
  if (children.length < (isTable ? 3 : 2)) return undefined;
  const lines = children.map((child) => lineStart(whole, extent(child)[0]));
  const opening = isTable ? whole.slice(lines[0], lines[1]) : "";
  return { start: (lines.at(-2) ?? 0) + shift, opening };
}

function lineStart(text: string, offset: number): number {
  return Math.max(text.lastIndexOf("\n", offset - 1), text.lastIndexOf("\r", offset - 1)) + 1;
}

function markComplete(nodes: RootContent[], text: string) {
  for (const node of walk(nodes)) {
    if (node.type === "code" && isComplete(node, text)) {
      node.data = { hProperties: { dataComplete: true } };
    }
  }
}

function particulars(nodes: RootContent[]): Pick<Block, "definitions" | "references"> {
  const definitions: Block["definitions"] = [];
  const references: string[] = [];
  for (const node of walk(nodes)) {
    if (node.type === "definition" || node.type === "footnoteDefinition") definitions.push(node);
    if (node.type === "footnoteReference") references.push(`^${node.identifier}`);
    if (node.type === "linkReference" || node.type === "imageReference") {
      references.push(node.identifier);
    }
  }
  return { definitions, references };
}

const labelOf = (node: Definition | FootnoteDefinition) =>
  node.type === "definition" ? node.identifier : `^${node.identifier}`;

function definitionsOf(blocks: Block[]): MarkdownText["definitions"] {
  const found = new Map<string, Definition | FootnoteDefinition>();
  for (const { definitions } of blocks) {
    for (const node of definitions) {
      const label = labelOf(node);
      if (!found.has(label)) found.set(label, node);
    }
  }
  return found;
}

/** Defines the same labels, so that a block is parsed as it would be within the whole. */
function headOf(definitions: MarkdownText["definitions"]): string {
  if (definitions.size === 0) return "";
  const labels = [...definitions.keys()].map((label) =>
    label.startsWith("^") ? `[${label}]: -\n\n` : `[${label}]: #\n\n`,
  );
  return labels.join("") + END;
}

function difference(before: ReadonlyMap<string, unknown>, after: ReadonlyMap<string, unknown>) {
  return [
    ...[...before.keys()].filter((label) => !after.has(label)),
    ...[...after.keys()].filter((label) => !before.has(label)),
  ];
}

const normalized = (text: string) => text.replace(/\s+/g, " ").toLowerCase();

const mentions = ({ source }: Block, label: string) => normalized(source).includes(`[${label}]`);
