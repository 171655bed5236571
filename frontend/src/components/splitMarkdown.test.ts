import { splitMarkdown } from "./splitMarkdown";

test.each<[string, string, string[]]>([
  ["paragraphs", "one\n\ntwo\n\n\nthree", ["one", "two", "three"]],
  ["a fence with blank lines", "a\n\n```py\nx\n\ny\n```\n\nb", ["a", "```py\nx\n\ny\n```", "b"]],
  ["a fence that is still open", "a\n\n```\nx\n\ny", ["a", "```\nx\n\ny"]],
  [
    "a longer fence around a shorter one",
    "````\n```\n\n```\n````\n\nb",
    ["````\n```\n\n```\n````", "b"],
  ],
  ["a loose list", "- one\n\n- two\n\nafter", ["- one\n\n- two", "after"]],
  [
    "a paragraph inside a list item",
    "1. one\n\n   more\n\n2. two",
    ["1. one\n\n   more\n\n2. two"],
  ],
  ["nothing", "\n\n", []],
])("cuts %s", (_, text, blocks) => {
  expect(splitMarkdown(text).map((block) => block.trim())).toEqual(blocks);
});

test("loses no text at any point of a growing answer", () => {
  const text = "# A\n\n- one\n\n- two\n\n```js\nlet a;\n\nlet b;\n```\n\nThe end.";
  for (let end = 0; end <= text.length; end++) {
    const part = text.slice(0, end);
    expect(splitMarkdown(part).join("").replace(/\s/g, "")).toBe(part.replace(/\s/g, ""));
  }
});
