const FENCE = /^\s*(`{3,}|~{3,})/;
const LIST_ITEM = /^(?:[-*+]|\d{1,9}[.)])\s/;

/**
 * Cuts markdown into blocks that can be parsed one by one, so that a growing text costs the
 * parsing of its last block only. A blank line ends a block unless it stands in a code fence,
 * before an indented line, or between the items of one list.
 */
export function splitMarkdown(text: string): string[] {
  const blocks: string[] = [];
  let block: string[] = [];
  let fence: string | null = null;
  let isAfterBlank = false;

  for (const line of text.split("\n")) {
    const marker = FENCE.exec(line)?.[1];
    if (!fence && line.trim() === "") {
      isAfterBlank = true;
    } else {
      if (isAfterBlank && !fence && !continues(block, line)) {
        blocks.push(block.join("\n"));
        block = [];
      }
      isAfterBlank = false;
      if (!fence) fence = marker ?? null;
      else if (marker?.startsWith(fence) && line.trim() === marker) fence = null;
    }
    block.push(line);
  }
  return [...blocks, block.join("\n")].filter((part) => part.trim() !== "");
}

function continues(block: string[], line: string): boolean {
  if (/^\s/.test(line)) return true;
  return LIST_ITEM.test(line) && LIST_ITEM.test(block.find((start) => start.trim() !== "") ?? "");
}
