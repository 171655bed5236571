/**
 * Splits a conversation of ChatGPT's that is larger than a part. Each piece has some of its nodes, with their
 * place in the whole (`order`) and whether they are off the way to the current node (`superseded`).
 */

export type Json = Record<string, unknown>;

interface Node {
  id: string;
  /** The last message before it that is shown. */
  parent: string | null;
  message: Json;
}

interface Placed extends Node {
  order: number;
  superseded: boolean;
}

type LeaveOut = (count: number, reason: string) => void;

/** Characters of a text in an answer that is too large for a part. A tool's texts matter less. */
const MAX_TEXT = 30_000;
const MAX_TOOL_TEXT = 2_000;
const MAX_ID = 200;
/** Characters, of which some have two code units. */
const MAX_TITLE = 200;

/** Yields JSON of at most `room` bytes each. An answer is never cut in two, but shortened if it must be. */
export function* chatGptPieces(
  conversation: Json,
  room: number,
  leaveOut: LeaveOut,
): Generator<string> {
  const nodes = orderedNodes(conversation, leaveOut);
  if (!nodes.length) leaveOut(1, "It has no message that can be taken.");
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const head = JSON.stringify({ ...headOf(conversation), mapping: {} }).slice(0, -2);
  const free = room - bytesOf(head) - 2;
  let piece = new Map<string, string>();
  let bytes = 0;
  for (const section of sections(nodes, byId)) {
    const entries = fitted(section, byId, free, leaveOut);
    const size = sizeOf(entries);
    if (piece.size && bytes + size > free) {
      yield `${head}${[...piece.values()].join(",")}}}`;
      piece = new Map();
      bytes = 0;
    }
    for (const [id, entry] of entries) if (!piece.has(id)) piece.set(id, entry);
    bytes += size;
  }
  if (piece.size) yield `${head}${[...piece.values()].join(",")}}}`;
}

function headOf(conversation: Json): Json {
  const { id, conversation_id, title, create_time, update_time, is_archived, is_starred } =
    conversation;
  const shortTitle = typeof title === "string" ? title.slice(0, 2 * MAX_TITLE) : undefined;
  return {
    id: shortId(id),
    conversation_id: shortId(conversation_id),
    title: shortTitle,
    create_time: typeof create_time === "number" ? create_time : undefined,
    update_time: typeof update_time === "number" ? update_time : undefined,
    is_archived: is_archived === true,
    is_starred: is_starred === true,
  };
}

function shortId(id: unknown): string | undefined {
  return typeof id === "string" && id.length <= MAX_ID ? id : undefined;
}

/** What is shown, as services/chatgpt_import.py orders it: each after what it follows, the current version last. */
function orderedNodes({ mapping, current_node }: Json, leaveOut: LeaveOut): Placed[] {
  const given = givenNodes(mapping, leaveOut);
  const path = pathTo(current_node, given);
  const followers = shownFollowers(given, leaveOut);
  const placed: Placed[] = [];
  const waiting = byPath(followers.get(null) ?? [], path).reverse();
  for (let node = waiting.pop(); node; node = waiting.pop()) {
    placed.push({ ...node, order: placed.length + 1, superseded: !path.has(node.id) });
    waiting.push(...following(node, followers, path, leaveOut).reverse());
  }
  return placed;
}

type Followers = Map<string | null, Node[]>;

function shownFollowers(given: Given, leaveOut: LeaveOut): Followers {
  const followers: Followers = new Map();
  const lastShown = new Map<string | null, string | null>();
  const listed = listedIds(given);
  for (const id of listed) {
    const { parent, node } = given.get(id)!;
    const before = lastShown.get(parent) ?? null;
    const message = asObject(node.message);
    const isTaken = message !== undefined && isShown(message);
    lastShown.set(id, isTaken ? id : before);
    if (isTaken) pushTo(followers, before, { id, parent: before, message });
    else if (message) leaveOut(1, "It is not shown to people.");
  }
  const lost = given.size - listed.length;
  if (lost) leaveOut(lost, "It hangs together with no other.");
  return followers;
}

/** An answer has one end: what goes on with it comes first, and any other branch is left out. */
function following(
  node: Node,
  followers: Followers,
  path: Set<string>,
  leaveOut: LeaveOut,
): Node[] {
  const all = byPath(followers.get(node.id) ?? [], path);
  if (roleOf(node) === "user") return all;
  const questions = all.filter((each) => roleOf(each) === "user");
  const others = all.filter((each) => roleOf(each) !== "user");
  const chosen = others.filter(({ id }) => path.has(id) || !path.has(node.id)).slice(0, 1);
  const lost = others.filter((each) => !chosen.includes(each));
  let count = 0;
  for (let each = lost.pop(); each; each = lost.pop()) {
    count++;
    lost.push(...(followers.get(each.id) ?? []));
  }
  if (count) leaveOut(count, "It branches off within an answer.");
  return [...chosen, ...questions];
}

function byPath(nodes: Node[], path: Set<string>): Node[] {
  return nodes.toSorted((a, b) => Number(path.has(a.id)) - Number(path.has(b.id)));
}

function pushTo<K, V>(lists: Map<K, V[]>, key: K, value: V) {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

/** What hangs together with a root, each node after its parent, siblings as the parent names them. */
function listedIds(given: Given): string[] {
  const children = new Map<string | null, string[]>();
  for (const [id, { parent }] of given) pushTo(children, parent, id);
  const listed: string[] = [];
  const waiting = (children.get(null) ?? []).toReversed();
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    listed.push(id);
    const named = given.get(id)?.node.children;
    waiting.push(...sortedAs(named, children.get(id) ?? []).reverse());
  }
  return listed;
}

function sortedAs(named: unknown, ids: string[]): string[] {
  const names: unknown[] = Array.isArray(named) ? named : [];
  const places = new Map(names.map((id, place) => [id, place]));
  const placeOf = (id: string) => places.get(id) ?? names.length;
  return ids.toSorted((a, b) => placeOf(a) - placeOf(b));
}

type Given = Map<string, { parent: string | null; node: Json }>;

function givenNodes(mapping: unknown, leaveOut: LeaveOut): Given {
  const found = new Map<string, Json>();
  for (const [id, value] of Object.entries(asObject(mapping) ?? {})) {
    const node = asObject(value);
    if (node && shortId(id)) found.set(id, node);
    else leaveOut(1, "It is no node of a conversation.");
  }
  const parentOf = ({ parent }: Json) =>
    typeof parent === "string" && found.has(parent) ? parent : null;
  return new Map([...found].map(([id, node]) => [id, { parent: parentOf(node), node }]));
}

/** The nodes from the root to the current one; where none is named, to the last. */
function pathTo(current: unknown, given: Given): Set<string> {
  const named = typeof current === "string" && given.has(current) ? current : undefined;
  const path = new Set<string>();
  let id = named ?? [...given.keys()].at(-1) ?? null;
  while (id !== null && !path.has(id)) {
    path.add(id);
    id = given.get(id)?.parent ?? null;
  }
  return path;
}

/** A question, or an answer whole. */
function* sections(nodes: Placed[], byId: Map<string, Placed>): Generator<Placed[]> {
  let section: Placed[] = [];
  for (const node of nodes) {
    const before = node.parent === null ? undefined : byId.get(node.parent);
    if (section.length && (roleOf(node) === "user" || !before || roleOf(before) === "user")) {
      yield section;
      section = [];
    }
    section.push(node);
  }
  if (section.length) yield section;
}

const STANDS_FOR_A_QUESTION: Json = { author: { role: "user" }, content: null };

/** A section's nodes as JSON, within `free` bytes, and what stands for an answer's question. */
function fitted(
  section: Placed[],
  byId: Map<string, Placed>,
  free: number,
  leaveOut: LeaveOut,
): Map<string, string> {
  const first = section[0]!;
  const question = first.parent === null ? undefined : byId.get(first.parent);
  const stub: Placed[] =
    question && roleOf(first) !== "user" ? [{ ...question, message: STANDS_FOR_A_QUESTION }] : [];
  const entries = entriesOf([...stub, ...section]);
  if (sizeOf(entries) <= free) return entries;
  leaveOut(1, "Its long texts are shortened, because it is larger than a part of an import.");
  const kept = new Map<string, string>();
  let room = free;
  for (const [id, entry] of entriesOf([...stub, ...section.map(shortened)])) {
    room -= bytesOf(entry) + 1;
    if (room >= 0) kept.set(id, entry);
  }
  const lost = entries.size - kept.size;
  if (lost) leaveOut(lost, "It is part of an answer that is larger than a part of an import.");
  return kept;
}

function entriesOf(nodes: Placed[]): Map<string, string> {
  return new Map(
    nodes.map(({ id, ...node }) => {
      const message = node.message === STANDS_FOR_A_QUESTION ? node.message : slim(node.message);
      const value = JSON.stringify({ ...node, message });
      return [id, `${JSON.stringify(id)}:${value}`];
    }),
  );
}

/** Without what an import does not read, which is often the larger part. */
function slim(message: Json): Json {
  const { author, content, create_time, recipient } = message;
  const { role, name } = asObject(author) ?? {};
  const metadata = asObject(message.metadata);
  return {
    author: { role, name },
    // Null would stand for a question of an earlier piece.
    content: content ?? "",
    create_time,
    recipient,
    metadata: metadata && {
      is_visually_hidden_from_conversation: metadata.is_visually_hidden_from_conversation,
      attachments: metadata.attachments,
    },
  };
}

function shortened(node: Placed): Placed {
  const limit = roleOf(node) === "tool" ? MAX_TOOL_TEXT : MAX_TEXT;
  return { ...node, message: { ...node.message, content: cut(node.message.content, limit, 4) } };
}

function cut(value: unknown, limit: number, depth: number): unknown {
  if (typeof value === "string") return value.length > limit ? `${value.slice(0, limit)}…` : value;
  if (typeof value !== "object" || value === null) return value;
  if (!depth) return null;
  if (Array.isArray(value)) return value.map((part) => cut(part, limit, depth - 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [name, cut(part, limit, depth - 1)]),
  );
}

const SHOWN: unknown[] = ["user", "assistant", "tool"];
const HIDDEN: unknown[] = [
  "user_editable_context",
  "model_editable_context",
  "thoughts",
  "reasoning_recap",
];

/** As services/chatgpt_content.py has it. */
function isShown(message: Json): boolean {
  const { content_type } = asObject(message.content) ?? {};
  const hidden = asObject(message.metadata)?.is_visually_hidden_from_conversation === true;
  return (
    SHOWN.includes(asObject(message.author)?.role) && !hidden && !HIDDEN.includes(content_type)
  );
}

function roleOf({ message }: Node): unknown {
  return asObject(message.author)?.role;
}

function asObject(value: unknown): Json | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Json)
    : undefined;
}

function sizeOf(entries: Map<string, string>): number {
  return [...entries.values()].reduce((sum, entry) => sum + bytesOf(entry) + 1, 0);
}

const encoder = new TextEncoder();

function bytesOf(text: string): number {
  return encoder.encode(text).length;
}
