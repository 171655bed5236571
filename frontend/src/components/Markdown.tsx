import { memo, useMemo, type ComponentProps, type ReactNode } from "react";
import ReactMarkdown, { type Components } from "react-markdown";
import rehypeSanitize from "rehype-sanitize";
import remarkGfm from "remark-gfm";
import { CodeBlock } from "./CodeBlock";
import styles from "./Markdown.module.css";
import { splitMarkdown } from "./splitMarkdown";

const isWebAddress = (href: string | undefined) => /^(?:https?:\/\/|mailto:)/i.test(href ?? "");

/** Another conversation, which only its own user can open. */
const isConversation = (href: string | undefined) => /^\/chat\/[\da-f-]{36}$/.test(href ?? "");

/** An answer is untrusted text: it must not load, execute, or open anything by itself. */
const components: Components = {
  a: ({ href, children }) =>
    isWebAddress(href) ? (
      <a href={href} target="_blank" rel="noopener nofollow">
        {children}
      </a>
    ) : isConversation(href) ? (
      <a href={href}>{children}</a>
    ) : (
      <>{children}</>
    ),
  // Loading an image would tell its server who reads the answer, and when.
  img: ({ alt, src }) => <>{`[image: ${alt || String(src ?? "")}]`}</>,
  // Levels 1 and 2 belong to the page.
  h1: ({ children }) => <h3>{children}</h3>,
  h2: ({ children }) => <h4>{children}</h4>,
  h3: ({ children }) => <h5>{children}</h5>,
  h4: ({ children }) => <h6>{children}</h6>,
  h5: ({ children }) => <h6>{children}</h6>,
  input: ({ checked }) => <>{checked ? "[x]" : "[ ]"}</>,
  pre: ({ children }) => <CodeBlock>{children}</CodeBlock>,
  table: ({ children }) => <Table>{children}</Table>,
};

function Table({ children }: { children: ReactNode }) {
  return (
    <div className={styles.table} role="region" aria-label="Table" tabIndex={0}>
      <table>{children}</table>
    </div>
  );
}

const plugins: Pick<ComponentProps<typeof ReactMarkdown>, "remarkPlugins" | "rehypePlugins"> = {
  remarkPlugins: [remarkGfm],
  rehypePlugins: [rehypeSanitize],
};

const Block = memo(function Block({ text }: { text: string }) {
  return (
    <ReactMarkdown {...plugins} components={components}>
      {text}
    </ReactMarkdown>
  );
});

export default function Markdown({ text }: { text: string }) {
  const blocks = useMemo(() => splitMarkdown(text), [text]);
  return (
    <div className={styles.markdown}>
      {blocks.map((block, index) => (
        <Block key={index} text={block} />
      ))}
    </div>
  );
}
