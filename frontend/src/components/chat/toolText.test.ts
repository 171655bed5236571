import { argumentList, durationText, prettyText, shortened } from "./toolText";

test.each([
  [0, "0 ms"],
  [999, "999 ms"],
  [1_000, "1.0 s"],
  [14_960, "15.0 s"],
  [125_000, "2 min"],
])("%i ms are written as %s", (ms, text) => {
  expect(durationText(ms)).toBe(text);
});

test("formats JSON, given as a value or as text, and leaves other text as it is", () => {
  expect(prettyText('{"a":[1]}')).toBe('{\n  "a": [\n    1\n  ]\n}');
  expect(prettyText([1])).toBe("[\n  1\n]");
  expect(prettyText("{ not JSON")).toBe("{ not JSON");
  expect(prettyText("12")).toBe("12");
  expect(prettyText("null")).toBe("null");
});

test("escapes bidirectional control characters", () => {
  expect(prettyText('{"to":"\u202emoc.liam"}')).toContain("\\u202emoc.liam");
  expect(argumentList('{"\u2066a":"\u202eb"}')).toEqual([["\\u2066a", "\\u202eb"]]);
});

test("shows numbers as they were written", () => {
  expect(prettyText('{"id":12345678901234567890,"a":[1.0,-2e5],"s":"1.0 \\"2\\""}')).toBe(
    '{\n  "id": 12345678901234567890,\n  "a": [\n    1.0,\n    -2e5\n  ],\n  "s": "1.0 \\"2\\""\n}',
  );
  expect(argumentList('{"id": 12345678901234567890}')).toEqual([["id", "12345678901234567890"]]);
});

test("shortens a long text and counts the hidden characters", () => {
  expect(shortened("short")).toEqual({ shown: "short", hidden: 0 });
  const { shown, hidden } = shortened("x".repeat(5_001));
  expect([shown.length, hidden]).toEqual([5_000, 1]);
  expect(shortened(`${"x".repeat(4_999)}🚢🚢`)).toEqual({ shown: "x".repeat(4_999), hidden: 2 });
});

test("lists arguments by name, with strings unquoted", () => {
  expect(argumentList('{"to": "Bob", "copies": 2, "tags": ["a"]}')).toEqual([
    ["to", "Bob"],
    ["copies", "2"],
    ["tags", '[\n  "a"\n]'],
  ]);
  expect(argumentList("{}")).toEqual([]);
  expect(argumentList("[1]")).toBeNull();
  expect(argumentList("rubbish")).toBeNull();
});
