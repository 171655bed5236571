import type { Element } from "hast";
import type { Components } from "hast-util-to-jsx-runtime";
import { lazy, Suspense, type ReactNode } from "react";
import { CodeBlock } from "./CodeBlock";
import styles from "./Markdown.module.css";
import { formulaOf, type Formula } from "./maths";

const FormulaView = lazy(() => import("./FormulaView"));

const isWebAddress = (href: string | undefined) => /^(?:https?:\/\/|mailto:)/i.test(href ?? "");

/** Another conversation, which only its own user can open. */
const isConversation = (href: string | undefined) => /^\/chat\/[\da-f-]{36}$/.test(href ?? "");

/** An answer is untrusted text: it must not load, execute, or open anything by itself. */
export const components: Partial<Components> = {
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
  h1: ({ children }) => <h3 dir="auto">{children}</h3>,
  h2: ({ children }) => <h4 dir="auto">{children}</h4>,
  h3: ({ children }) => <h5 dir="auto">{children}</h5>,
  h4: ({ children }) => <h6 dir="auto">{children}</h6>,
  h5: ({ children }) => <h6 dir="auto">{children}</h6>,
  input: ({ checked }) => (
    <input type="checkbox" disabled checked={checked} aria-label={checked ? "Done" : "To do"} />
  ),
  pre: ({ node }) => <Code node={node} />,
  code: ({ className, children }) =>
    className === "formula" ? (
      <FormulaText source={String(children)} />
    ) : (
      <code dir="ltr">{children}</code>
    ),
  table: ({ children }) => <Table>{children}</Table>,
};

export function Table({ children }: { children: ReactNode }) {
  return (
    <div className={styles.table} role="region" aria-label="Table" tabIndex={0}>
      <table dir="auto">{children}</table>
    </div>
  );
}

function textOf(node: Element | undefined): string {
  const [text] = node?.children ?? [];
  return text?.type === "text" ? text.value : "";
}

/** The language is the first word after the fence: ```` ```python title="a.py" ````. */
function languageOf(code: Element | undefined): string {
  const { className } = code?.properties ?? {};
  const name = Array.isArray(className) ? String(className[0]) : "";
  return name.replace(/^language-/, "").toLowerCase();
}

function Code({ node }: { node: Element | undefined }) {
  const [code] = (node?.children ?? []).filter((child) => child.type === "element");
  const language = languageOf(code);
  const text = textOf(code).replace(/\n$/, "");
  const isComplete = code?.properties.dataComplete === true;
  if (language === "math" && isComplete) {
    return <LoadedMaths source={text} tex={text} isDisplay />;
  }
  return <CodeBlock text={text} language={language} isComplete={isComplete} />;
}

function FormulaText({ source }: { source: string }) {
  return <LoadedMaths source={source} {...formulaOf(source)} />;
}

function LoadedMaths(props: Formula & { source: string }) {
  return (
    <Suspense fallback={<code dir="ltr">{props.source}</code>}>
      <FormulaView {...props} />
    </Suspense>
  );
}
