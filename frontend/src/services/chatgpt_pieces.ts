/**
 * Splits a conversation of ChatGPT's that is larger than a part. Each piece has some of its nodes, with their
 * place in the whole (`order`) and whether they are off the way to the current node (`superseded`).
 */

export type Json = Record<string, unknown>;

interface Node {
  id: string;
  parent: string | null;
  message: Json | null;
  order: number;
  superseded: boolean;
}

type LeaveOut = (count: number, reason: string) => void;

/** Characters of a text in an answer that is too large for a part. A tool's texts matter less. */
const MAX_TEXT = 30_000;
const MAX_TOOL_TEXT = 2_000;
const MAX_ID = 200;

/** Yields JSON of at most `room` bytes each. An answer is never cut in two, but shortened if it must be. */
export function* chatGptPieces(
  conversation: Json,
  room: number,
  leaveOut: LeaveOut,
): Generator<string> {
  const nodes = orderedNodes(conversation, leaveOut);
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
  const shortTitle = typeof title === "string" ? title.slice(0, MAX_ID) : undefined;
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

/** Parents before children. Of siblings, the one on the way to the current node comes last. */
function orderedNodes({ mapping, current_node }: Json, leaveOut: LeaveOut): Node[] {
  const given = new Map(
    Object.entries(asObject(mapping) ?? {}).flatMap(([id, value]) => {
      const node = asObject(value);
      return node && shortId(id) ? [[id, node] as const] : [];
    }),
  );
  const parentOf = (id: string) => {
    const parent = given.get(id)?.parent;
    return typeof parent === "string" && given.has(parent) ? parent : null;
  };
  const path = new Set<string>();
  const current = typeof current_node === "string" && given.has(current_node) ? current_node : null;
  for (let id = current ?? [...given.keys()].at(-1) ?? null; id && !path.has(id); id = parentOf(id))
    path.add(id);
  const children = new Map<string | null, string[]>();
  for (const id of given.keys()) {
    const parent = parentOf(id);
    const siblings = children.get(parent);
    if (siblings) siblings.push(id);
    else children.set(parent, [id]);
  }
  const nodes: Node[] = [];
  const waiting = inOrder(children.get(null) ?? [], undefined, path);
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const node = given.get(id);
    const [message, superseded] = [asObject(node?.message) ?? null, !path.has(id)];
    nodes.push({ id, parent: parentOf(id), message, order: nodes.length + 1, superseded });
    waiting.push(...inOrder(children.get(id) ?? [], node?.children, path));
  }
  const lost = given.size - nodes.length;
  if (lost) leaveOut(lost, "It hangs together with no other.");
  return nodes;
}

/** The first is the last of the array, as a stack has it. */
function inOrder(ids: string[], named: unknown, path: Set<string>): string[] {
  const places = new Map(Array.isArray(named) ? named.map((id, place) => [id, place]) : []);
  const placeOf = (id: string) => places.get(id) ?? places.size;
  const listed = ids.toSorted((a, b) => placeOf(a) - placeOf(b));
  return listed.toSorted((a, b) => Number(path.has(a)) - Number(path.has(b))).reverse();
}

/** A question, or an answer whole, and what lies hidden between. */
function* sections(nodes: Node[], byId: Map<string, Node>): Generator<Node[]> {
  let section: Node[] = [];
  for (const node of nodes) {
    if (beginsSection(node, byId) && section.length) {
      yield section;
      section = [];
    }
    section.push(node);
  }
  if (section.length) yield section;
}

function beginsSection(node: Node, byId: Map<string, Node>): boolean {
  if (!isShown(node)) return false;
  const before = shownBefore(node, byId);
  return roleOf(node) === "user" || !before || roleOf(before) === "user";
}

/** A section's nodes as JSON, within `free` bytes. Its first node gets a parent that the piece can have. */
function fitted(
  section: Node[],
  byId: Map<string, Node>,
  free: number,
  leaveOut: LeaveOut,
): Map<string, string> {
  const first = section[0];
  const before = first && shownBefore(first, byId);
  const placed = section.map((node) =>
    node === first && isShown(node) ? { ...node, parent: before?.id ?? null } : node,
  );
  const stub: Node[] =
    before && first && roleOf(first) !== "user" && roleOf(before) === "user"
      ? [{ ...before, parent: null, message: { author: { role: "user" }, content: null } }]
      : [];
  const entries = entriesOf([...stub, ...placed]);
  if (sizeOf(entries) <= free) return entries;
  leaveOut(1, "Its long texts are shortened, because it is larger than a part of an import.");
  const kept = new Map<string, string>();
  let room = free;
  for (const [id, entry] of entriesOf([...stub, ...placed.map(shortened)])) {
    room -= bytesOf(entry) + 1;
    if (room >= 0) kept.set(id, entry);
  }
  const lost = entries.size - kept.size;
  if (lost) leaveOut(lost, "It is part of an answer that is larger than a part of an import.");
  return kept;
}

function entriesOf(nodes: Node[]): Map<string, string> {
  return new Map(
    nodes.map(({ id, ...node }) => {
      const value = JSON.stringify({ ...node, message: slim(node.message) });
      return [id, `${JSON.stringify(id)}:${value}`];
    }),
  );
}

/** Without what an import does not read, which is often the larger part. */
function slim(message: Json | null): Json | null {
  if (!message) return null;
  const { author, content, create_time, recipient } = message;
  const { role, name } = asObject(author) ?? {};
  const metadata = asObject(message.metadata);
  return {
    author: { role, name },
    content,
    create_time,
    recipient,
    metadata: metadata && {
      is_visually_hidden_from_conversation: metadata.is_visually_hidden_from_conversation,
      attachments: metadata.attachments,
    },
  };
}

function shortened(node: Node): Node {
  const limit = roleOf(node) === "tool" ? MAX_TOOL_TEXT : MAX_TEXT;
  return node.message
    ? { ...node, message: { ...node.message, content: cut(node.message.content, limit, 4) } }
    : node;
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

function shownBefore(node: Node, byId: Map<string, Node>): Node | undefined {
  let before = node.parent === null ? undefined : byId.get(node.parent);
  while (before && !isShown(before))
    before = before.parent === null ? undefined : byId.get(before.parent);
  return before;
}

const HIDDEN = ["user_editable_context", "model_editable_context", "thoughts", "reasoning_recap"];

/** As services/chatgpt_content.py has it. */
function isShown({ message }: Node): boolean {
  const { content_type } = asObject(message?.content) ?? {};
  const hidden = asObject(message?.metadata)?.is_visually_hidden_from_conversation === true;
  const role = asObject(message?.author)?.role;
  return (
    ["user", "assistant", "tool"].includes(String(role)) &&
    !hidden &&
    !HIDDEN.includes(String(content_type))
  );
}

function roleOf({ message }: Node): unknown {
  return asObject(message?.author)?.role;
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
