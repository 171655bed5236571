import { useRef, useState, type ReactNode } from "react";
import { CheckIcon, CopyIcon } from "./icons";
import styles from "./Markdown.module.css";

export function CodeBlock({ children }: { children: ReactNode }) {
  const code = useRef<HTMLPreElement>(null);
  const [isCopied, setCopied] = useState(false);

  async function copy() {
    await navigator.clipboard.writeText(code.current?.innerText ?? "");
    setCopied(true);
    setTimeout(() => setCopied(false), 2_000);
  }

  return (
    <div className={styles.code}>
      <pre ref={code} tabIndex={0} role="region" aria-label="Code">
        {children}
      </pre>
      <button
        type="button"
        className={`icon-button ${styles.copy}`}
        aria-label={isCopied ? "Copied" : "Copy the code"}
        onClick={copy}
      >
        {isCopied ? <CheckIcon /> : <CopyIcon />}
      </button>
    </div>
  );
}
