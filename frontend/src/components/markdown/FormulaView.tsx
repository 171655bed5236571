import "katex/dist/katex.min.css";
import { render } from "katex";
import { useLayoutEffect, useRef } from "react";
import type { Formula } from "./maths";
import styles from "./Markdown.module.css";

/** A formula, or its source if KaTeX cannot read it. Loaded with KaTeX and its fonts, when there is maths to show. */
export default function FormulaView({ source, tex, isDisplay }: Formula & { source: string }) {
  const target = useRef<HTMLSpanElement>(null);

  useLayoutEffect(() => {
    if (!target.current) return;
    try {
      render(tex, target.current, { displayMode: isDisplay, maxSize: 20, strict: false });
    } catch {
      const code = document.createElement("code");
      code.textContent = source;
      target.current.replaceChildren(code);
    }
  }, [source, tex, isDisplay]);

  return <span ref={target} dir="ltr" className={isDisplay ? styles.formula : undefined} />;
}
