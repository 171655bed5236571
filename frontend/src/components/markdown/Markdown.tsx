import type { FootnoteDefinition } from "mdast";
import { memo, useState } from "react";
import { isLong, LongBlock } from "./LongBlock";
import styles from "./Markdown.module.css";
import { EMPTY, readMarkdown, type Block, type MarkdownText } from "./readMarkdown";
import { toReact, type References } from "./toReact";

export default function Markdown({ text }: { text: string }) {
  const [read, setRead] = useState(() => readMarkdown(text, EMPTY));
  // While an answer grows, most of it is read already.
  if (read.text !== text) setRead(readMarkdown(text, read));
  const footnotes = footnotesOf(read);
  return (
    <div className={styles.markdown}>
      {read.blocks.map((block, index) => (
        <BlockView
          key={index}
          nodes={block.nodes}
          references={referencesOf(block.references, read, footnotes)}
        />
      ))}
      {footnotes.length > 0 && (
        <ol className={styles.footnotes} dir="auto" aria-label="Footnotes">
          {footnotes.map(({ identifier, children }) => (
            <li key={identifier}>
              <BlockView
                nodes={children}
                references={referencesOf([...read.definitions.keys()], read, footnotes)}
              />
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}

/** Given as JSON, `references` stays the same for a block that is not concerned by what is new. */
const BlockView = memo(function BlockView(props: { nodes: Block["nodes"]; references: string }) {
  const { nodes, references } = props;
  const [node] = nodes;
  if (nodes.length === 1 && isLong(node)) return <LongBlock node={node} references={references} />;
  return toReact(nodes, JSON.parse(references) as References);
});

/** Those that are referred to, in the order of their first reference. */
function footnotesOf({ blocks, definitions }: MarkdownText): FootnoteDefinition[] {
  const labels = new Set(blocks.flatMap(({ references }) => references));
  return [...labels].flatMap((label) => {
    const node = definitions.get(label);
    return node?.type === "footnoteDefinition" ? [node] : [];
  });
}

function referencesOf(
  labels: string[],
  { definitions }: MarkdownText,
  footnotes: FootnoteDefinition[],
): string {
  const references: References = { links: [], footnotes: {} };
  for (const label of labels) {
    const node = definitions.get(label);
    if (node?.type === "definition") {
      const { identifier, url, title = null } = node;
      references.links.push({ identifier, url, title });
    } else if (node) {
      references.footnotes[node.identifier] = footnotes.indexOf(node) + 1;
    }
  }
  return JSON.stringify(references);
}
