import type { Code, Root, RootContent } from "mdast";
import { fromMarkdown } from "mdast-util-from-markdown";
import { gfmFootnoteFromMarkdown } from "mdast-util-gfm-footnote";
import { gfmStrikethroughFromMarkdown } from "mdast-util-gfm-strikethrough";
import { gfmTableFromMarkdown } from "mdast-util-gfm-table";
import { gfmTaskListItemFromMarkdown } from "mdast-util-gfm-task-list-item";
import { gfmFootnote } from "micromark-extension-gfm-footnote";
import { gfmStrikethrough } from "micromark-extension-gfm-strikethrough";
import { gfmTable } from "micromark-extension-gfm-table";
import { gfmTaskListItem } from "micromark-extension-gfm-task-list-item";
import { address, addressFromMarkdown } from "./address";
import { maths, mathsFromMarkdown } from "./maths";

const options = {
  extensions: [
    // GitHub strikes through between single tildes as well, which "~100 … ~200" does not mean.
    gfmStrikethrough({ singleTilde: false }),
    gfmFootnote(),
    gfmTable(),
    gfmTaskListItem(),
    address,
    maths,
    // `Vector<int>` is text. What looks like HTML is shown, never used.
    { disable: { null: ["htmlFlow", "htmlText"] } },
  ],
  mdastExtensions: [
    gfmStrikethroughFromMarkdown(),
    gfmFootnoteFromMarkdown(),
    gfmTableFromMarkdown(),
    gfmTaskListItemFromMarkdown(),
    addressFromMarkdown,
    mathsFromMarkdown,
  ],
};

export const parse = (text: string): Root => fromMarkdown(text, options);

/** Every node of the trees, in the order of the text. */
export function* walk(nodes: readonly RootContent[]): Generator<RootContent> {
  for (const node of nodes) {
    yield node;
    if ("children" in node && node.children) yield* walk(node.children);
  }
}

const FENCED = /^(`{3,}|~{3,})(?![`~])[^]*[\n\r][ \t>]*\1[`~]*[ \t]*$/;

/** Whether a code block has its closing fence: one that still grows is not worth colouring. */
export function isComplete({ position }: Code, text: string): boolean {
  const source = text.slice(position?.start.offset, position?.end.offset);
  return FENCED.test(source);
}
