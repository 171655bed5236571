import styles from "./MessageList.module.css";

export function MessageSkeleton() {
  return (
    <div className={styles.scroll} aria-busy="true">
      <div className={`${styles.column} ${styles.skeleton}`}>
        <p className="visually-hidden">Loading the conversation</p>
        <span className={styles.question} />
        <span />
        <span />
        <span className={styles.short} />
      </div>
    </div>
  );
}
