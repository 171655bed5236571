import { chatGptPieces, type Json } from "./chatgpt_pieces";

/** Bytes of one request. The API takes 256 KiB. */
export const PART_BYTES = 200_000;
const CHUNK_BYTES = 1024 * 1024;
/** Characters of one conversation or line. No more is ever held in memory. */
const MAX_ENTRY = 32 * 1024 * 1024;

/** As the API says it of what it does not take. `conversation`: its id in the file, if it is known. */
interface NotTaken {
  conversation: string | null;
  what: string;
  reason: string;
  count: number;
}

/** The same file always gives the same parts, so an import may begin again after any of them. */
export interface ImportPart {
  number: number;
  /** The body of `POST /import`. */
  body: string;
  bytesRead: number;
  /** What was left out since the last part, because it fits into none. */
  notTaken: NotTaken[];
}

export class UnknownFileError extends Error {}

interface SplitOptions {
  partBytes?: number;
  onProgress?: (bytesRead: number, bytes: number) => void;
}

/**
 * Splits Parley's own export, or ChatGPT's `conversations.json`, of any size, into what can be sent.
 * The last part may have nothing but `notTaken`, and then an empty body, which is not to be sent.
 */
export async function* splitImport(
  file: Blob,
  { partBytes = PART_BYTES, onProgress }: SplitOptions = {},
): AsyncGenerator<ImportPart> {
  if (!file.size) throw new UnknownFileError("The file is empty.");
  let number = 0;
  const packer = new Packer(partBytes);
  let scanner: Scanner | undefined;
  for await (const { text, end } of chunks(file)) {
    scanner ??= scannerFor(text, packer);
    for (const piece of piecesIn(text, scanner, end === file.size)) {
      if (packer.isFullWith(piece)) yield { number: number++, bytesRead: end, ...packer.take() };
    }
    onProgress?.(end, file.size);
  }
  if (!packer.isEmpty) yield { number, bytesRead: file.size, ...packer.take() };
}

async function* chunks(file: Blob): AsyncGenerator<{ text: string; end: number }> {
  const decoder = new TextDecoder();
  for (let start = 0; start < file.size; start += CHUNK_BYTES) {
    const end = Math.min(start + CHUNK_BYTES, file.size);
    const bytes = await file.slice(start, end).arrayBuffer();
    yield { text: decoder.decode(bytes, { stream: end < file.size }), end };
  }
}

function* piecesIn(text: string, scanner: Scanner, isLast: boolean): Generator<string> {
  for (const entry of scanner.feed(text)) yield* scanner.pieces(entry);
  if (isLast) for (const entry of scanner.end()) yield* scanner.pieces(entry);
}

function scannerFor(beginning: string, packer: Packer): Scanner {
  const first = beginning.trimStart()[0];
  if (first === "[") return new ArrayScanner(packer);
  if (first === "{") return new LineScanner(packer);
  throw new UnknownFileError(
    "This is neither an export of Parley's nor ChatGPT's conversations.json.",
  );
}

/** Collects what goes into one part. */
class Packer {
  head = "";
  tail = "]}";
  #entries: string[] = [];
  #bytes = 0;
  #waiting: string | undefined;
  #notTaken = new Map<string, NotTaken>();

  constructor(readonly partBytes: number) {}

  get room() {
    return this.partBytes - bytesOf(this.head + this.tail) - 1;
  }

  get isEmpty() {
    return !this.#entries.length && this.#waiting === undefined && !this.#notTaken.size;
  }

  /** Takes an entry up. If true, the part is to be taken first: the entry begins the next one. */
  isFullWith(entry: string): boolean {
    const bytes = bytesOf(entry) + 1;
    if (this.#entries.length && this.#bytes + bytes > this.room) {
      this.#waiting = entry;
      return true;
    }
    this.#entries.push(entry);
    this.#bytes += bytes;
    return false;
  }

  leaveOut(conversation: string | null, what: string, reason: string, count = 1) {
    const key = JSON.stringify([conversation, what, reason]);
    const known = this.#notTaken.get(key);
    this.#notTaken.set(key, { conversation, what, reason, count: count + (known?.count ?? 0) });
  }

  take(): Pick<ImportPart, "body" | "notTaken"> {
    const body = this.#entries.length ? this.head + this.#entries.join(",") + this.tail : "";
    const notTaken = [...this.#notTaken.values()];
    this.#notTaken.clear();
    this.#entries = this.#waiting === undefined ? [] : [this.#waiting];
    this.#bytes = this.#waiting === undefined ? 0 : bytesOf(this.#waiting) + 1;
    this.#waiting = undefined;
    return { body, notTaken };
  }
}

interface Scanner {
  /** The entries that end in `text`, as JSON. */
  feed(text: string): Iterable<string>;
  /** What is left at the end of the file. */
  end(): Iterable<string>;
  /** An entry as parts can hold it. */
  pieces(entry: string): Iterable<string>;
}

const TOO_LARGE = "It is larger than a part of an import.";
const NO_JSON = "It is not JSON.";
const TOO_DEEP = "It is nested too deeply.";
/** Levels. The API reads some hundreds, and an export has a dozen. */
const MAX_DEPTH = 100;

/** JSON Lines. Also a conversation's own file, which has a record in each line. */
class LineScanner implements Scanner {
  #line = "";
  #isTooLong = false;

  constructor(private readonly packer: Packer) {
    packer.head = '{"source":"parley","version":1,"records":[';
  }

  *feed(text: string) {
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      this.#add(text.slice(start, end));
      yield* this.end();
      start = end + 1;
    }
    this.#add(text.slice(start));
  }

  *end() {
    const line = this.#line.trim().replace(/,$/, "");
    const isTooLong = this.#isTooLong;
    this.#line = "";
    this.#isTooLong = false;
    if (isTooLong) this.packer.leaveOut(null, "record", TOO_LARGE);
    else if (line && line !== "]}" && !(line.startsWith('{"source"') && line.endsWith("[")))
      yield line;
  }

  *pieces(line: string) {
    const record = parse(line);
    const named = record?.conversation_id ?? record?.id;
    const conversation = typeof named === "string" ? named : null;
    if (!record) this.packer.leaveOut(null, "record", NO_JSON);
    else if (isTooDeep(line)) this.packer.leaveOut(conversation, "record", TOO_DEEP);
    else if (bytesOf(line) > this.packer.room)
      this.packer.leaveOut(conversation, "record", TOO_LARGE);
    else yield line;
  }

  #add(text: string) {
    if (this.#line.length + text.length > MAX_ENTRY) this.#isTooLong = true;
    this.#line = this.#isTooLong ? "" : this.#line + text;
  }
}

/** The entries of one large array. */
class ArrayScanner implements Scanner {
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  #entry: string[] = [];
  #length = 0;

  constructor(private readonly packer: Packer) {
    packer.head = '{"source":"chatgpt","conversations":[';
  }

  *feed(text: string) {
    let start = 0;
    for (let at = 0; at < text.length; at++) {
      const found = this.#step(text.charAt(at));
      if (!found) continue;
      if (found === "end") yield* this.#finish(text.slice(start, at));
      start = at + 1;
    }
    if (this.#depth > 0) this.#add(text.slice(start));
  }

  /** What a character is: the beginning of the array, or the end of an entry. */
  #step(character: string): "begin" | "end" | undefined {
    if (this.#isInString) this.#stepInString(character);
    else if (character === '"') this.#isInString = true;
    else if ("{[".includes(character)) {
      if (this.#depth++ === 0) return "begin";
    } else if ("}]".includes(character)) {
      if (--this.#depth === 0) return "end";
    } else if (character === ",") return this.#depth === 1 ? "end" : undefined;
  }

  #stepInString(character: string) {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (character === "\\") this.#isEscaped = true;
    else if (character === '"') this.#isInString = false;
  }

  *end() {
    if (this.#depth > 0) {
      this.packer.leaveOut(null, "conversation", "The file ends in the middle of it.");
    }
  }

  *pieces(text: string) {
    const conversation = parse(text);
    const named = conversation?.conversation_id ?? conversation?.id;
    const id = typeof named === "string" ? named : null;
    if (!conversation) this.packer.leaveOut(null, "conversation", NO_JSON);
    else if (isTooDeep(text)) this.packer.leaveOut(id, "conversation", TOO_DEEP);
    else if (bytesOf(text) <= this.packer.room) yield text;
    else {
      const leaveOut = (count: number, reason: string) =>
        this.packer.leaveOut(id, "message", reason, count);
      yield* chatGptPieces(conversation, this.packer.room, leaveOut);
    }
  }

  *#finish(text: string) {
    this.#add(text);
    const [entry, isTooLong] = [this.#entry.join("").trim(), this.#length > MAX_ENTRY];
    this.#entry = [];
    this.#length = 0;
    if (isTooLong) this.packer.leaveOut(null, "conversation", "It is too large for this browser.");
    else if (entry) yield entry;
  }

  #add(text: string) {
    this.#length += text.length;
    if (this.#length > MAX_ENTRY) this.#entry = [];
    else this.#entry.push(text);
  }
}

const STEPS: Partial<Record<string, number>> = { "{": 1, "[": 1, "}": -1, "]": -1 };

/** Of text that is JSON. */
function isTooDeep(json: string): boolean {
  let depth = 0;
  let isInString = false;
  for (let at = 0; at < json.length; at++) {
    const mark = json.charAt(at);
    if (mark === "\\") at++;
    else if (mark === '"') isInString = !isInString;
    else if (!isInString) depth += STEPS[mark] ?? 0;
    if (depth > MAX_DEPTH) return true;
  }
  return false;
}

function parse(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

const encoder = new TextEncoder();

function bytesOf(text: string): number {
  return encoder.encode(text).length;
}
