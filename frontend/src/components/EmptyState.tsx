import styles from "./EmptyState.module.css";

export const STARTERS = [
  "What can you help me with?",
  "Plan a three-day walk in the mountains",
  "Explain how two people can share a secret in public",
  "Draft a kind reply that declines an invitation",
];

export const greeting = (name: string) => `Good to see you, ${name}.`;

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
