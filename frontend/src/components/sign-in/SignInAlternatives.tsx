import { useState } from "react";
import { useHydrated } from "@/hooks/useHydrated";
import { signInSocial, type Answer } from "@/services/auth";
import { toApiError } from "@/services/errors";
import { explainRefusal } from "@/services/explain_refusal";
import styles from "./AuthForm.module.css";

export interface SocialProvider {
  id: string;
  name: string;
}

interface SignInAlternativesProps {
  hasPasskeys?: boolean;
  socialProviders: SocialProvider[];
  /** The path to go to afterwards. */
  target: string;
  onDone?: () => void;
}

const withPasskey = async () => (await import("@/services/passkeys")).signInWithPasskey();

async function leaveFor(provider: string, target: string) {
  const answer = await signInSocial(provider, target);
  if (answer.data) window.location.assign(answer.data.url);
  return answer;
}

/** Ways to sign in without a password. */
export function SignInAlternatives(props: SignInAlternativesProps) {
  const { hasPasskeys, socialProviders, target, onDone } = props;
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setIsBusy] = useState(false);
  const isHydrated = useHydrated();
  if (!hasPasskeys && socialProviders.length === 0) return null;

  function begin(act: () => Promise<Answer<unknown>>, onSuccess?: () => void) {
    setIsBusy(true);
    setProblem(null);
    act()
      .then(({ refusal }) => {
        if (!refusal) return onSuccess?.();
        setProblem(explainRefusal(refusal));
        setIsBusy(false);
      })
      .catch((failure: unknown) => {
        setProblem(toApiError(failure).message);
        setIsBusy(false);
      });
  }

  const button = (label: string, onClick: () => void) => (
    <button
      key={label}
      type="button"
      className="button secondary"
      disabled={!isHydrated || isBusy}
      onClick={onClick}
    >
      {label}
    </button>
  );
  return (
    <div className={styles.alternatives}>
      {problem && (
        <p className="alert" role="alert">
          {problem}
        </p>
      )}
      {hasPasskeys && button("Use a passkey", () => begin(withPasskey, onDone))}
      {socialProviders.map(({ id, name }) =>
        button(`Continue with ${name}`, () => begin(() => leaveFor(id, target))),
      )}
    </div>
  );
}
