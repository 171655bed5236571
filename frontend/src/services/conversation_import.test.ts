/** @jest-environment node */

import { Blob } from "node:buffer";
import { readFileSync } from "node:fs";
import { PART_BYTES, splitImport, UnknownFileError, type ImportPart } from "./conversation_import";

type Json = Record<string, unknown>;

/** Draws the same numbers for the same seed (mulberry32). */
function drawer(seed: number) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const SEED = Math.floor(Math.random() * 2 ** 32);
const PIECES = ['é漢字🦜"\\', "\n{[,]}", "plain words ", "\u2028\u0001", '\\"],"'];

function words(draw: () => number, length: number) {
  let text = "x";
  while (text.length < length) text += PIECES[Math.floor(draw() * PIECES.length)];
  return text;
}

async function split(file: string | Blob, partBytes = PART_BYTES) {
  const blob = (typeof file === "string" ? new Blob([file]) : file) as unknown as globalThis.Blob;
  const parts: ImportPart[] = [];
  for await (const part of splitImport(blob, { partBytes })) {
    expect(new TextEncoder().encode(part.body).length).toBeLessThanOrEqual(partBytes);
    parts.push(part);
  }
  return parts;
}

function entries(parts: ImportPart[]): Json[] {
  return parts
    .filter(({ body }) => body)
    .flatMap(({ body }) => {
      const { records, conversations } = JSON.parse(body) as Record<string, Json[] | undefined>;
      return records ?? conversations ?? [];
    });
}

function conversation(draw: () => number, id: string, nodes: number, length: number): Json {
  const mapping: Record<string, Json> = {};
  const names: string[] = [];
  for (let n = 0; n < nodes; n++) {
    // Questions and answers take turns.
    const parent = n
      ? names[Math.max((n - 1) % 2, n - 1 - 2 * Math.floor(draw() ** 6 * 4))]!
      : null;
    const role = n % 2 ? "assistant" : "user";
    const content = { content_type: "text", parts: [words(draw, draw() * length)] };
    mapping[`${id}-${n}`] = { id: `${id}-${n}`, parent, message: { author: { role }, content } };
    names.push(`${id}-${n}`);
  }
  return { id, title: words(draw, 20), current_node: names.at(-1), mapping };
}

test(`each record of Parley's export is in one part, in its order (seed ${SEED})`, async () => {
  const draw = drawer(SEED);
  const records = Array.from({ length: 3_000 }, (_, n) => ({
    kind: "message",
    id: `${n}`,
    content: words(draw, draw() ** 4 * 20_000),
  }));
  const file =
    records.map((record) => JSON.stringify(record)).join("\n") + (draw() < 0.5 ? "\n" : "");
  const parts = await split(file);
  expect(entries(parts)).toEqual(records);
  expect(parts.map(({ number }) => number)).toEqual(parts.map((_, n) => n));
  expect(parts.at(-1)?.bytesRead).toBe(new Blob([file]).size);
});

test("a conversation's own file is read as well", async () => {
  const records = [{ kind: "conversation" }, { kind: "message", content: "]}" }];
  const file = `{"source": "parley", "version": 1, "records": [\n${records.map((each) => JSON.stringify(each)).join(",\n")}\n]}\n`;
  expect(entries(await split(file))).toEqual(records);
});

test("each conversation of ChatGPT's is in one part, or in pieces", async () => {
  const draw = drawer(SEED);
  const all = Array.from({ length: 60 }, (_, n) =>
    conversation(draw, `c${n}`, 2 + Math.floor(draw() * 60), draw() ** 3 * 30_000),
  );
  const parts = await split(JSON.stringify(all, null, draw() < 0.5 ? 2 : undefined));
  expect(parts.length).toBeGreaterThan(5);
  expect(parts.flatMap(({ notTaken }) => notTaken)).toEqual([]);
  const found = entries(parts);
  for (const given of all) {
    const pieces = found.filter(({ id }) => id === given.id);
    if (pieces.length === 1 && !JSON.stringify(pieces).includes('"order"')) {
      expect(pieces).toEqual([given]);
      continue;
    }
    const nodes = pieces
      .flatMap(({ mapping }) => Object.entries(mapping as Record<string, Json>))
      .filter(([, node]) => (node.message as Json).content !== null);
    const originals = given.mapping as Record<string, Json>;
    expect(nodes.map(([id]) => id).toSorted()).toEqual(Object.keys(originals).toSorted());
    const orders = new Map(nodes.map(([id, node]) => [id, node.order as number]));
    expect([...orders.values()].toSorted((a, b) => a - b)).toEqual(nodes.map((_, n) => n + 1));
    for (const [id, { parent }] of Object.entries(originals)) {
      if (parent) expect(orders.get(id)).toBeGreaterThan(orders.get(parent as string)!);
    }
    for (const [id, node] of nodes) {
      expect((node.message as Json).content).toEqual((originals[id]!.message as Json).content);
    }
  }
});

// Drawn trees, hostile ones too. tests/integration/test_import.py takes them whole and in these pieces.
test("trees of every kind are split as the API's own test has it", async () => {
  const path = `${__dirname}/../../../tests/chatgpt_pieces.json`;
  const { part_bytes, conversations, parts } = JSON.parse(readFileSync(path, "utf8")) as {
    part_bytes: number;
    conversations: Json[];
    parts: { body: Json; notTaken: Json[] }[];
  };
  const found = await split(JSON.stringify(conversations), part_bytes);
  const read = found.map(({ body, notTaken }) => ({ body: JSON.parse(body) as Json, notTaken }));
  expect(read).toEqual(parts);
});

test("an answer that is larger than a part is shortened and this is said", async () => {
  const draw = drawer(SEED);
  const answer = (n: number, role: string) => ({
    parent: n ? `${n - 1}` : null,
    message: { author: { role }, content: { content_type: "text", parts: [words(draw, 90_000)] } },
  });
  const roles = ["user", "assistant", "tool", "tool", "tool", "assistant", "user", "assistant"];
  const mapping = Object.fromEntries(roles.map((role, n) => [`${n}`, answer(n, role)]));
  const parts = await split(JSON.stringify([{ id: "big", current_node: "7", mapping }]));
  const nodes = entries(parts).flatMap((piece) => Object.keys(piece.mapping as Json));
  expect(new Set(nodes)).toEqual(new Set(Object.keys(mapping)));
  const said = parts.flatMap(({ notTaken }) => notTaken);
  expect(said.map(({ conversation, count }) => [conversation, count])).toEqual([["big", 1]]);
});

test.each([
  ["[", 1],
  ['[{"id": "a"', 1],
  ['{"kind": "usage"}\n{"kind"', 1],
  [`{"kind": "message", "text": "${"y".repeat(PART_BYTES)}"}`, 1],
  ["[]", 0],
])("%.20s: what cannot be read is counted, not sent", async (file, count) => {
  const parts = await split(file);
  const left = parts.flatMap(({ notTaken }) => notTaken);
  expect(left.reduce((sum, each) => sum + each.count, 0)).toBe(count);
  expect(entries(parts).length).toBe(file.includes("usage") ? 1 : 0);
});

test.each(["", "PK\u0003\u0004", "hello"])("%j is refused", async (file) => {
  await expect(split(file)).rejects.toThrow(UnknownFileError);
});

/** A file of which only what is read exists. */
function drawnFile(bytes: number, at: (start: number, end: number) => string) {
  let largest = 0;
  const file = {
    size: bytes,
    slice: (start: number, end: number) => {
      largest = Math.max(largest, end - start);
      return new Blob([at(start, end)]);
    },
  };
  return { file: file as unknown as globalThis.Blob, largest: () => largest };
}

test("of 100 MB little is held at a time, and one is told how far it is", async () => {
  const line = `{"kind":"message","text":"${"z".repeat(997)}"}\n`;
  const whole = line.repeat(1_100);
  const { file, largest } = drawnFile(line.length * 100_000, (start, end) => {
    const offset = start % line.length;
    return whole.slice(offset, offset + end - start);
  });
  const told: number[] = [];
  let records = 0;
  for await (const { body } of splitImport(file, { onProgress: (read) => told.push(read) })) {
    expect(body.length).toBeLessThanOrEqual(PART_BYTES);
    records += body.split('"kind"').length - 1;
  }
  expect(records).toBe(100_000);
  expect(largest()).toBeLessThanOrEqual(1024 * 1024);
  expect(told.at(-1)).toBe(file.size);
  expect(told).toEqual(told.toSorted((a, b) => a - b));
});

test("what is nested too deeply is left out and named", async () => {
  const deep = `${'{"a":['.repeat(10_000)}${"]}".repeat(10_000)}`;
  const text = `{"id":"b","title":"${"[{".repeat(200)}\\"[","mapping":{}}`;
  const [part] = await split(`[{"id":"a","mapping":${deep}},${text}]`);
  expect(entries([part!])).toEqual([JSON.parse(text)]);
  const [lines] = await split(`{"kind":"export"}\n{"kind":"message","id":"m","usage":${deep}}\n`);
  expect(entries([lines!])).toEqual([{ kind: "export" }]);
  expect([...part!.notTaken, ...lines!.notTaken]).toEqual([
    { conversation: "a", what: "conversation", reason: "It is nested too deeply.", count: 1 },
    { conversation: "m", what: "record", reason: "It is nested too deeply.", count: 1 },
  ]);
});
