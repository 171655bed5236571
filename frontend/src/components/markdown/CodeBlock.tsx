import type { ReactNode } from "react";
import { useEffect, useState } from "react";
import { CopyButton } from "@/components/ui/CopyButton";
import { IconButton } from "@/components/ui/IconButton";
import { WrapIcon } from "@/components/ui/icons";
import { languages, type Language } from "./languages";
import styles from "./Markdown.module.css";

interface CodeBlockProps {
  text: string;
  /** As written after the fence; empty if nothing is. */
  language: string;
  /** Code that still grows is not coloured. */
  isComplete: boolean;
}

export function CodeBlock({ text, language, isComplete }: CodeBlockProps) {
  const [isWrapped, setWrapped] = useState(false);
  const known = languages.get(language);
  const name = known?.name ?? language;
  return (
    <figure className={styles.code} dir="ltr">
      <figcaption>
        <span>{name || "Code"}</span>
        <IconButton
          name="Wrap long lines"
          icon={<WrapIcon />}
          isPressed={isWrapped}
          onClick={() => setWrapped(!isWrapped)}
        />
        <CopyButton name="Copy the code" text={() => text} />
      </figcaption>
      <pre
        className={isWrapped ? styles.wrapped : undefined}
        tabIndex={0}
        role="group"
        aria-label={name ? `Code: ${name}` : "Code"}
      >
        <code>{isComplete && known ? <Coloured text={text} language={known} /> : text}</code>
      </pre>
    </figure>
  );
}

/** The highlighter and the language are loaded now. Until then, and if they cannot be, the code is plain. */
function Coloured({ text, language }: { text: string; language: Language }) {
  const [coloured, setColoured] = useState<{ text: string; code: ReactNode } | null>(null);

  useEffect(() => {
    let isCurrent = true;
    import("./highlight")
      .then(({ highlight }) => highlight(text, language))
      .then((code) => isCurrent && setColoured({ text, code }))
      .catch(() => {});
    return () => {
      isCurrent = false;
    };
  }, [text, language]);

  return coloured?.text === text ? coloured.code : text;
}
