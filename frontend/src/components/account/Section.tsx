import { useRef, type ReactNode } from "react";
import { useFocusFallback } from "@/hooks/useFocusFallback";
import styles from "./account.module.css";

interface SectionProps {
  id: string;
  title: string;
  text?: ReactNode;
  children: ReactNode;
}

export function Section({ id, title, text, children }: SectionProps) {
  const section = useRef<HTMLElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  useFocusFallback(section, () => heading.current?.focus());
  return (
    <section ref={section} id={id} className={styles.section} aria-labelledby={`${id}-title`}>
      <h2 ref={heading} id={`${id}-title`} tabIndex={-1}>
        {title}
      </h2>
      {text && <p className={styles.hint}>{text}</p>}
      {children}
    </section>
  );
}
