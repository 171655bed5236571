import type { List, RootContent, Table as TableNode } from "mdast";
import { memo, type ReactNode } from "react";
import { Table } from "./elements";
import { itemsToReact, type References } from "./toReact";

type Long = List | TableNode;

const CHUNK = 20;

export function isLong(node: RootContent | undefined): node is Long {
  const isItems = node?.type === "list" || node?.type === "table";
  return isItems && node.children.length > 2 * CHUNK;
}

interface LongBlockProps {
  node: Long;
  references: string;
}

/** A list or a table in chunks, so that only the last ones are made again while it grows. */
export function LongBlock({ node, references }: LongBlockProps) {
  if (node.type === "table") {
    const head = node.children.slice(0, 1);
    const parts = chunked(node.children.slice(1)).map((rows) => ({
      ...node,
      children: [...head, ...rows],
    }));
    return (
      <Table>
        <Chunk node={{ ...node, children: head }} references={references} />
        <tbody>{asElements(parts, references)}</tbody>
      </Table>
    );
  }
  const spread = node.spread || node.children.some((item) => item.spread);
  const isTaskList = node.children.some(({ checked }) => checked != null);
  const chunks = chunked(node.children).map((children) => ({ ...node, spread, children }));
  const items = asElements(chunks, references);
  return node.ordered ? (
    <ol dir="auto" start={node.start ?? 1}>
      {items}
    </ol>
  ) : (
    <ul dir="auto" className={isTaskList ? "contains-task-list" : undefined}>
      {items}
    </ul>
  );
}

function chunked<T>(list: T[]): T[][] {
  const count = Math.ceil(list.length / CHUNK);
  return Array.from({ length: count }, (_, index) =>
    list.slice(index * CHUNK, (index + 1) * CHUNK),
  );
}

const asElements = (chunks: Long[], references: string): ReactNode =>
  chunks.map((node, index) => <Chunk key={index} node={node} references={references} />);

const Chunk = memo(
  function Chunk({ node, references }: LongBlockProps) {
    return itemsToReact(node, JSON.parse(references) as References);
  },
  (before, after) => before.references === after.references && isSame(before.node, after.node),
);

function isSame(one: Long, other: Long): boolean {
  const isLoose = one.type === "list" && one.spread;
  const isOtherLoose = other.type === "list" && other.spread;
  return (
    isLoose === isOtherLoose &&
    one.children.length === other.children.length &&
    one.children.every((child, index) => child === other.children[index])
  );
}
