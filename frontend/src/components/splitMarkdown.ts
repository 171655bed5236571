const FENCE = /^\s*(`{3,}|~{3,})/;
const LIST_ITEM = /^(?:[-*+]|\d{1,9}[.)])\s/;

/**
 * Splits markdown into blocks that can be parsed separately, so that only the last block of a growing text
 * is parsed again. A blank line ends a block, except in a code fence, before an indented line, and between
 * the items of a list.
 */
export function splitMarkdown(text: string): string[] {
  const blocks: string[] = [];
  let block: string[] = [];
  let fence: string | null = null;
  let isAfterBlank = false;

  for (const line of text.split("\n")) {
    const isBlank = fence === null && line.trim() === "";
    if (isAfterBlank && !isBlank && !continuesBlock(block, line)) {
      blocks.push(block.join("\n"));
      block = [];
    }
    fence = openFence(fence, line);
    isAfterBlank = isBlank;
    block.push(line);
  }
  return [...blocks, block.join("\n")].filter((part) => part.trim() !== "");
}

/** The marker of the code fence that is open after a line. */
function openFence(fence: string | null, line: string): string | null {
  const marker = FENCE.exec(line)?.[1] ?? null;
  if (fence === null) return marker;
  return marker?.startsWith(fence) && line.trim() === marker ? null : fence;
}

function continuesBlock(block: string[], line: string): boolean {
  if (/^\s/.test(line)) return true;
  return LIST_ITEM.test(line) && LIST_ITEM.test(block.find((start) => start.trim() !== "") ?? "");
}
