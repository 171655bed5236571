import { instructionsCount } from "./instructionsText";

test.each([
  ["", "0 of 1,500 characters", false],
  ["é", "1 of 1,500 characters", false],
  ["🦊".repeat(1_500), "1,500 of 1,500 characters", false],
  ["🦊".repeat(1_501), "1,501 of 1,500 characters", true],
])("%.3s… is counted as the API counts", (text, words, isTooLong) =>
  expect(instructionsCount(text)).toEqual({ text: words, isTooLong }),
);
