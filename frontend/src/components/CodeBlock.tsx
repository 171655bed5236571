import { useRef, type ReactNode } from "react";
import { CopyButton } from "./CopyButton";
import styles from "./Markdown.module.css";

export function CodeBlock({ children }: { children: ReactNode }) {
  const code = useRef<HTMLPreElement>(null);
  return (
    <div className={styles.code}>
      <pre ref={code} tabIndex={0} role="group" aria-label="Code">
        {children}
      </pre>
      <CopyButton
        className={styles.copy}
        name="Copy the code"
        text={() => code.current?.innerText ?? ""}
      />
    </div>
  );
}
