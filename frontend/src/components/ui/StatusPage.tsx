import Link from "next/link";
import type { ReactNode } from "react";
import { Brand } from "./Brand";
import styles from "./StatusPage.module.css";

interface StatusPageProps {
  title: string;
  text: string;
  children?: ReactNode;
}

export function StatusPage({ title, text, children }: StatusPageProps) {
  return (
    <main className={styles.page}>
      <Brand />
      <h1 className={styles.title}>{title}</h1>
      <p className={styles.text}>{text}</p>
      <div className={styles.actions}>
        {children}
        <Link className="button secondary" href="/">
          To the start page
        </Link>
      </div>
    </main>
  );
}
