import { Refused } from "@/services/account";
import { signOut } from "@/services/auth";
import type { ApiError } from "@/services/errors";

/** Whether nothing helps but to sign in again. */
export function isSessionOver(problem: ApiError): boolean {
  return problem.isSignedOut || (problem instanceof Refused && problem.isNotFresh);
}

/** A full page load, so that nothing stays in memory. */
function signInAgain() {
  const leave = () => window.location.replace("/sign-in?to=account");
  signOut().then(leave, leave);
}

/** Leads to the sign-in page, and from there back to the account page. */
export function SignInAgain() {
  return (
    <button type="button" className="button secondary small" onClick={signInAgain}>
      Sign in again
    </button>
  );
}
