import type { ReactNode } from "react";
import type { Loaded } from "@/hooks/useLoaded";
import { Refused } from "@/services/account";
import { signOut } from "@/services/auth";
import type { ApiError } from "@/services/errors";
import styles from "./account.module.css";

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

/** A full page load, so that nothing stays in memory. */
function signInAgain() {
  const leave = () => window.location.replace("/sign-in?to=account");
  signOut().then(leave, leave);
}

function Problem({ problem, onRetry }: { problem: ApiError; onRetry: () => void }) {
  const isOver = problem.isSignedOut || (problem instanceof Refused && problem.isNotFresh);
  return (
    <div className={`alert ${styles.problem}`} role="alert">
      <p>{problem.message}</p>
      <button
        type="button"
        className="button secondary small"
        onClick={isOver ? signInAgain : onRetry}
      >
        {isOver ? "Sign in again" : "Try again"}
      </button>
    </div>
  );
}
