import styles from "./EmptyState.module.css";
import { greeting, STARTERS } from "./starters";

interface EmptyStateProps {
  name: string;
  onChoose: (text: string) => void;
}

export function EmptyState({ name, onChoose }: EmptyStateProps) {
  return (
    <div className={styles.empty}>
      <h2 className={styles.greeting}>{greeting(name)}</h2>
      <p className={styles.text}>Ask something, or begin with one of these.</p>
      <ul className={styles.starters}>
        {STARTERS.map((starter) => (
          <li key={starter}>
            <button type="button" onClick={() => onChoose(starter)}>
              {starter}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
