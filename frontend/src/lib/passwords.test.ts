/** @jest-environment node */
import { dictionary } from "@zxcvbn-ts/language-common";
import { randomBytes, randomInt } from "node:crypto";
import { isEasyToGuess, isTooShort } from "./passwords";

const OWN = ["Ada Lovelace", "ada.byron@example.com"];

const common = (dictionary["passwords-common"] as string[]).filter(({ length }) => length >= 10);

/** As people make a refused password acceptable. */
const DISGUISES: ((password: string) => string)[] = [
  (password) => password,
  (password) => `${password[0]!.toUpperCase()}${password.slice(1)}`,
  (password) => `${password}1`,
  (password) => `${password}!`,
  (password) => [...password].reverse().join(""),
];

test("common passwords are refused, and what is easily made of them", async () => {
  expect(common.length).toBeGreaterThan(500);
  for (let draw = 0; draw < 200; draw++) {
    const password = common[randomInt(common.length)]!;
    const disguised = DISGUISES[randomInt(DISGUISES.length)]!(password);
    expect([disguised, await isEasyToGuess(disguised, OWN)]).toEqual([disguised, true]);
  }
});

test.each([
  "P@ssword12",
  "lovelace2026",
  "ada.byron@example.com",
  "parleyparley",
  "AdaLovelace",
  "aaaaaaaaaaaa",
])("%s is refused", async (password) => expect(await isEasyToGuess(password, OWN)).toBe(true));

test("what was drawn at random, or of several words, is accepted", async () => {
  for (let draw = 0; draw < 100; draw++) {
    const password = randomBytes(9).toString("base64url").slice(0, 10);
    expect([password, await isEasyToGuess(password, OWN)]).toEqual([password, false]);
  }
  for (const password of ["analytical engine", "violet staircase 1", "canary in a coal mine"]) {
    expect(await isEasyToGuess(password, OWN)).toBe(false);
  }
});

test("the longest passwords are judged quickly", async () => {
  await isEasyToGuess("anything at all", OWN);
  for (const password of ["a1".repeat(64), "@4".repeat(64), "1l!i|".repeat(25)]) {
    const started = process.cpuUsage();
    await isEasyToGuess(password, ["x ".repeat(10_000)]);
    expect(process.cpuUsage(started).user / 1000).toBeLessThan(1_000);
  }
});

test.each([
  ["😀😁😂😃😄", true],
  ["👨‍👩‍👧‍👦".repeat(2), true],
  ["e\u0301".repeat(9), true],
  ["123456789", true],
  ["👨‍👩‍👧‍👦".repeat(10), false],
  ["1234567890", false],
  ["a".repeat(1e6), false],
])("of too few characters, not too few code units (%#)", (password, isShort) => {
  expect(isTooShort(password)).toBe(isShort);
});
