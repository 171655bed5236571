/** @jest-environment-options {"customExportConditions": ["development", "browser"]} */

import type { RootContent } from "mdast";
import { CORPUS } from "@/testing/markdownCorpus";
import { parse } from "./parse";
import { EMPTY, readMarkdown } from "./readMarkdown";

/** Pieces whose meaning depends on what stands around them. */
const PIECES = [
  ...["1. one", "2. two", "- a", "- b\n\n  c", "* d", "  e", "    indented", "\ttab", "1", "-"],
  ...["```js\nlet a;\n\nlet b;", "```", "~~~~\n```\n~~~~", "> quote\nlazy", ">", "> - a\n>\n>   b"],
  ...[
    "| a |",
    "|---|",
    "| b | c |",
    "===",
    "---",
    "$$",
    "x = 1",
    "\\[\na\n+ b\n\\]",
    "$$\n  x = 1\n  $$",
    "$$\n$$",
    "\\(a",
    "b\\)",
  ],
  ...["[q]", "[Q][]", "[q]: /x", "'title", "title'", "[r]: <", "[^f]", "[^f]: note", "![q]"],
  ...["**bold", "bold**", "<pre>", "</pre>", "", "", "# h", "word", "https://a.com/b", "  ", "\\"],
];

const SOURCES = CORPUS.flatMap(({ texts }) => texts.map(([source]) => source));

/** Numbers from 0 to 1, the same for a seed on every machine. */
function draw(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

function drawnText(random: () => number): string {
  const pick = (list: string[]) => list[Math.floor(random() * list.length)] ?? "";
  const parts = Array.from({ length: 3 + Math.floor(random() * 12) }, () =>
    random() < 0.15 ? pick(SOURCES) : pick(PIECES),
  );
  return parts.map((part) => part + pick(["\n", "\n", "\n\n", "\n\n\n", "\r\n", " "])).join("");
}

const bare = (nodes: RootContent[]) =>
  JSON.stringify(nodes, (key, value: unknown) =>
    key === "position" || key === "data" ? undefined : value,
  );

function expectSameAtEachStep(text: string, random: () => number, label: string) {
  let read = EMPTY;
  for (let end = 0; end < text.length;) {
    end = Math.min(text.length, end + 1 + Math.floor(random() * 30));
    const part = text.slice(0, end);
    read = readMarkdown(part, read);
    const apart = bare(read.blocks.flatMap(({ nodes }) => nodes));
    if (apart !== bare(parse(part).children))
      throw new Error(`${label}: ${JSON.stringify(part)}\n${apart}`);
  }
}

test.each(CORPUS)("a growing text in $language reads as the whole does", ({ texts }) => {
  for (const [source] of texts) expectSameAtEachStep(source, draw(1), "corpus");
});

test("there are 300 texts", () => {
  expect(SOURCES).toHaveLength(300);
});

test("a growing text of drawn pieces reads as the whole does, at each step", () => {
  for (let seed = 0; seed < 30; seed++) {
    const random = draw(seed);
    expectSameAtEachStep(drawnText(random), random, `seed ${seed}`);
  }
});

test("a list is no longer loose once its last item turns out to be none", () => {
  const one = readMarkdown("* a\n\n*", EMPTY);
  const two = readMarkdown("* a\n\n**b", one);
  expect(one.blocks[0]?.nodes).toMatchObject([{ type: "list", spread: true }]);
  expect(two.blocks.flatMap(({ nodes }) => nodes)).toMatchObject([
    { type: "list", spread: false },
    { type: "paragraph" },
  ]);
});

test("earlier blocks keep what they are while a text grows, unless it defines what they refer to", () => {
  const first = readMarkdown("See [a].\n\nAnd [b].\n\nSo\n", EMPTY);
  const second = readMarkdown(`${first.text}\n[a]: /url\n`, first);
  expect(second.blocks[0]?.references).toEqual(["a"]);
  expect(second.blocks[1]).toBe(first.blocks[1]);
});

test("a text that is replaced is read anew", () => {
  const { blocks } = readMarkdown("other", readMarkdown("one\n\ntwo\n\n", EMPTY));
  expect(blocks.map(({ source }) => source)).toEqual(["other"]);
});

test("a code block is complete with its closing fence", () => {
  const isComplete = (text: string) => {
    const [node] = readMarkdown(text, EMPTY).blocks.flatMap(({ nodes }) => nodes);
    return node?.data !== undefined;
  };
  expect(isComplete("```py\nx\n")).toBe(false);
  expect(isComplete("````py\nx\n```")).toBe(false);
  expect(isComplete("```py\nx\n```")).toBe(true);
  expect(isComplete("    x")).toBe(false);
});
