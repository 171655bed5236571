import type { ReactNode } from "react";
import type { Loaded } from "@/hooks/useLoaded";
import type { ApiError } from "@/services/errors";
import styles from "./account.module.css";
import { isSessionOver, SignInAgain } from "./SignInAgain";

interface LoadedPartProps<Value> {
  loaded: Loaded<Value>;
  children: (value: Value) => ReactNode;
}

/** Shows what was loaded, or why it was not. */
export function LoadedPart<Value>({ loaded, children }: LoadedPartProps<Value>) {
  const { value, problem, reload } = loaded;
  return (
    <>
      {problem && <Problem problem={problem} onRetry={reload} />}
      {value !== undefined && children(value)}
      {value === undefined && !problem && <p className={styles.hint}>Loading…</p>}
    </>
  );
}

function Problem({ problem, onRetry }: { problem: ApiError; onRetry: () => void }) {
  return (
    <div className={`alert ${styles.problem}`} role="alert">
      <p>{problem.message}</p>
      {isSessionOver(problem) ? (
        <SignInAgain />
      ) : (
        <button type="button" className="button secondary small" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}
