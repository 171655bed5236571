import type { Definition, FootnoteDefinition, RootContent } from "mdast";
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
 * Reads a text that may be the previous one with more at its end. Then only the last block is parsed again, and
 * earlier blocks that refer to what is newly defined.
 */
export function readMarkdown(text: string, previous: MarkdownText): MarkdownText {
  const isLonger = text.startsWith(previous.text);
  const kept = isLonger ? settled(previous) : [];
  const last = kept.at(-1);
  const start = last ? last.start + last.source.length : 0;
  const tail = blocksOf(text, start, headOf(definitionsOf(kept)));
  const definitions = definitionsOf([...kept, ...tail]);
  if (!isLonger) return { text, blocks: tail, definitions };

  const changed = difference(previous.definitions, definitions);
  const again = (block: Block) =>
    changed.some((label) => mentions(block, label))
      ? blocksOf(block.source, 0, headOf(definitions)).map((part) => ({
          ...part,
          start: part.start + block.start,
        }))
      : [block];
  // What the tail defines is known where it is parsed.
  return { text, blocks: [...kept.flatMap(again), ...tail], definitions };
}

/** The blocks that no further text changes. A first line that still grows may yet belong to the block before. */
function settled({ blocks }: MarkdownText): Block[] {
  const growing = blocks.findLastIndex(({ source }) => /[\n\r]/.test(source.trimStart()));
  return blocks.slice(0, Math.max(growing, 0));
}

function blocksOf(text: string, start: number, head: string): Block[] {
  const whole = head + text.slice(start);
  const shift = start - head.length;
  const groups: { start: number; nodes: RootContent[] }[] = [];
  let end = head.length;
  for (const node of parse(whole).children) {
    const { position } = node;
    if (!position || (position.start.offset ?? 0) < head.length) continue;
    const offset = position.start.offset ?? 0;
    const group = groups.at(-1);
    if (group && !BLANK_LINE.test(whole.slice(end, offset))) group.nodes.push(node);
    else groups.push({ start: lineStart(whole, offset), nodes: [node] });
    end = position.end.offset ?? end;
  }
  return groups.map(({ start: first, nodes }, index) => {
    const from = index === 0 ? head.length : first;
    const source = whole.slice(from, groups.at(index + 1)?.start);
    return { start: from + shift, source, nodes, ...particulars(nodes, whole) };
  });
}

function lineStart(text: string, offset: number): number {
  return Math.max(text.lastIndexOf("\n", offset - 1), text.lastIndexOf("\r", offset - 1)) + 1;
}

function particulars(nodes: RootContent[], text: string): Pick<Block, "definitions" | "references"> {
  const definitions: Block["definitions"] = [];
  const references: string[] = [];
  for (const node of walk(nodes)) {
    if (node.type === "definition" || node.type === "footnoteDefinition") definitions.push(node);
    if (node.type === "footnoteReference") references.push(`^${node.identifier}`);
    if (node.type === "linkReference" || node.type === "imageReference") {
      references.push(node.identifier);
    }
    if (node.type === "code" && isComplete(node, text)) {
      node.data = { hProperties: { dataComplete: true } };
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
