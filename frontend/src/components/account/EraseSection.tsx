import { useState } from "react";
import { eraseAccount } from "@/services/account";
import { Dialog } from "@/components/ui/Dialog";
import styles from "./account.module.css";
import { Section } from "./Section";
import { isSessionOver, SignInAgain } from "./SignInAgain";

interface EraseSectionProps {
  email: string;
  hasPassword: boolean;
}

export function EraseSection({ email, hasPassword }: EraseSectionProps) {
  const [isAsking, setIsAsking] = useState(false);
  return (
    <Section
      id="erase"
      title="Erase everything"
      text="All your conversations, settings and shared links, and the account itself. This cannot be undone: export what you want to keep first."
    >
      <div className={styles.actions}>
        <button type="button" className="button danger small" onClick={() => setIsAsking(true)}>
          Erase my account
        </button>
      </div>
      {isAsking && (
        <EraseDialog email={email} hasPassword={hasPassword} onClose={() => setIsAsking(false)} />
      )}
    </Section>
  );
}

function EraseDialog({ email, hasPassword, onClose }: EraseSectionProps & { onClose: () => void }) {
  const [typed, setTyped] = useState("");
  const [password, setPassword] = useState("");

  async function erase() {
    await eraseAccount(typed, hasPassword ? password : undefined);
    // A full page load, so that nothing stays in memory.
    window.location.replace("/sign-up");
  }

  return (
    <Dialog
      title="Erase everything?"
      action="Erase everything"
      isDangerous
      onSubmit={erase}
      remedy={(failure) => isSessionOver(failure) && <SignInAgain />}
      onClose={onClose}
    >
      <p>
        To confirm, type your e-mail address, <strong>{email}</strong>
        {hasPassword && ", and your password"}.
      </p>
      <input
        type="email"
        aria-label="Your e-mail address"
        placeholder="Your e-mail address"
        autoComplete="off"
        value={typed}
        required
        autoFocus
        onChange={(event) => setTyped(event.target.value)}
      />
      {hasPassword && (
        <input
          type="password"
          aria-label="Your password"
          placeholder="Your password"
          autoComplete="current-password"
          value={password}
          required
          onChange={(event) => setPassword(event.target.value)}
        />
      )}
    </Dialog>
  );
}
