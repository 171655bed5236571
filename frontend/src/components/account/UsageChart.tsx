import styles from "./account.module.css";
import type { UsageDay } from "./usageDays";

const HEIGHT = 100;
const WIDTH = 10;
const GAP = 2;

const whole = (value: number) => value.toLocaleString("en");

/** Tokens of each day. The table beside it says the same in words. */
export function UsageChart({ days }: { days: UsageDay[] }) {
  const most = Math.max(...days.map(({ input, output }) => input + output));
  if (most === 0) return <p className={styles.hint}>Nothing yet.</p>;
  const heightOf = (tokens: number) => (tokens / most) * HEIGHT;
  return (
    <figure className={styles.chart}>
      <svg
        viewBox={`0 0 ${days.length * WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Tokens of each day, at most ${whole(most)}`}
      >
        {days.map(({ day, input, output }, index) => (
          <g key={day} transform={`translate(${index * WIDTH + GAP / 2} 0)`}>
            <title>{`${day}: ${whole(input)} in, ${whole(output)} out`}</title>
            {/* The whole column, to be pointed at. */}
            <rect width={WIDTH - GAP} height={HEIGHT} fill="transparent" />
            <rect
              className={styles.output}
              y={HEIGHT - heightOf(input + output)}
              width={WIDTH - GAP}
              height={heightOf(output)}
            />
            <rect
              className={styles.input}
              y={HEIGHT - heightOf(input)}
              width={WIDTH - GAP}
              height={heightOf(input)}
            />
          </g>
        ))}
      </svg>
      <figcaption>
        <span>{days[0]!.day}</span>
        <span className={styles.legend}>
          <i className={styles.input} /> Tokens in <i className={styles.output} /> Tokens out
        </span>
        <span>{days.at(-1)!.day}</span>
      </figcaption>
    </figure>
  );
}
