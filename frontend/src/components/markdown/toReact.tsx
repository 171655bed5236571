import type { Element, Root } from "hast";
import { defaultSchema, sanitize } from "hast-util-sanitize";
import { toJsxRuntime } from "hast-util-to-jsx-runtime";
import type { FootnoteReference, Formula, RootContent } from "mdast";
import { toHast, type Handlers } from "mdast-util-to-hast";
import { Fragment, type ReactNode } from "react";
import { jsx, jsxs } from "react/jsx-runtime";
import { components } from "./elements";

/** What a block refers to: the definitions of links and images, and the numbers of footnotes. */
export interface References {
  links: { identifier: string; url: string; title: string | null }[];
  footnotes: Record<string, number>;
}

const { attributes } = defaultSchema;
const schema = {
  ...defaultSchema,
  attributes: {
    ...attributes,
    code: [["className", /^language-./, "formula"] as [string, RegExp, string], "dataComplete"],
  },
};

const element = (tagName: string, properties: Element["properties"], text: string): Element => ({
  type: "element",
  tagName,
  properties,
  children: [{ type: "text", value: text }],
});

const formula = (_: unknown, { value }: Formula) =>
  element("code", { className: ["formula"] }, value);

function handlersFor(footnotes: References["footnotes"]): Handlers {
  return {
    formula,
    footnoteReference: (_, { identifier }: FootnoteReference) =>
      element("sup", {}, `[${footnotes[identifier]}]`),
  };
}

/** The nodes as elements of React. Whatever they hold, only elements and attributes of the schema come out. */
export function toReact(nodes: RootContent[], references: References): ReactNode {
  return rendered(toSafe(nodes, references).map(withDirection));
}

/** The items of a list, the rows of a table or, if it has none, its head, without the element around them. */
export function itemsToReact(node: RootContent, references: References): ReactNode {
  const parts = toSafe([node], references)
    .filter(isElement)
    .flatMap(({ children }) => children);
  const elements = parts.filter((part) => part.type === "element");
  const body = elements.find(({ tagName }) => tagName === "tbody");
  return rendered(body ? body.children.filter(isElement) : elements);
}

function toSafe(nodes: RootContent[], { links, footnotes }: References): Root["children"] {
  const definitions = links.map((link): RootContent => ({ type: "definition", ...link }));
  const tree = toHast(
    { type: "root", children: [...definitions, ...nodes] },
    { handlers: handlersFor(footnotes) },
  );
  return (sanitize(tree, schema) as Root).children;
}

function rendered(children: Root["children"]): ReactNode {
  const options = { Fragment, jsx, jsxs, components, passNode: true };
  return toJsxRuntime({ type: "root", children }, options);
}

const isElement = (node: Root["children"][number]) => node.type === "element";

/** Each block runs as its first letter does. Within one, the style sheet lets every paragraph find its own. */
function withDirection(node: Root["children"][number]): Root["children"][number] {
  if (!isElement(node)) return node;
  return { ...node, properties: { ...node.properties, dir: "auto" } };
}
