import { lazy, Suspense, useState } from "react";
import {
  disableTwoFactor,
  enableTwoFactor,
  renewBackupCodes,
  type Enrolment,
} from "@/services/two_factor";
import styles from "./account.module.css";
import { BackupCodes } from "./BackupCodes";
import { PasswordDialog } from "./PasswordDialog";
import { Section } from "./Section";

const TwoFactorSetup = lazy(() => import("./TwoFactorSetup"));

interface TwoFactorSectionProps {
  isOn: boolean;
  /** The session was replaced by a new one. */
  onChange: () => void;
}

const ASKS = {
  enable: {
    title: "Set up an app",
    text: "Your password, please, to make sure that it is you.",
    action: "Go on",
  },
  renew: {
    title: "New backup codes",
    text: "The codes that you have kept will no longer be valid.",
    action: "Make new codes",
  },
  disable: {
    title: "Turn two-step sign-in off?",
    text: "Your password alone will sign you in again.",
    action: "Turn off",
    isDangerous: true,
  },
};

/** Only for who has a password: other ways to sign in do not ask for a code. */
export function TwoFactorSection({ isOn: wasOn, onChange }: TwoFactorSectionProps) {
  const [isOn, setIsOn] = useState(wasOn);
  const [asking, setAsking] = useState<keyof typeof ASKS | null>(null);
  const [enrolment, setEnrolment] = useState<Enrolment | null>(null);
  const [codes, setCodes] = useState<string[] | null>(null);

  // Not before the dialog is gone, which takes the focus with it.
  const isShowing = asking === null;

  const acts = {
    enable: async (password: string) => setEnrolment(await enableTwoFactor(password)),
    renew: async (password: string) => setCodes(await renewBackupCodes(password)),
    disable: async (password: string) => {
      await disableTwoFactor(password);
      setIsOn(false);
      setCodes(null);
      onChange();
    },
  };

  function finish(done: Enrolment) {
    setEnrolment(null);
    setIsOn(true);
    setCodes(done.backupCodes);
    onChange();
  }

  return (
    <Section
      id="two-factor"
      title="Two-step sign-in"
      text="Signing in with your password then asks for a code as well, which an authenticator app on your phone shows."
    >
      <p role="status">{`Two-step sign-in is ${isOn ? "on" : "off"}.`}</p>
      {isShowing && enrolment && (
        <Suspense fallback={<p className={styles.hint}>Loading…</p>}>
          <TwoFactorSetup
            enrolment={enrolment}
            onDone={() => finish(enrolment)}
            onCancel={() => setEnrolment(null)}
          />
        </Suspense>
      )}
      {isShowing && codes && <BackupCodes codes={codes} onDone={() => setCodes(null)} />}
      {!(isShowing && (enrolment ?? codes)) && <Choices isOn={isOn} onAsk={setAsking} />}
      {asking && (
        <PasswordDialog
          {...ASKS[asking]}
          onPassword={acts[asking]}
          onClose={() => setAsking(null)}
        />
      )}
    </Section>
  );
}

function Choices({ isOn, onAsk }: { isOn: boolean; onAsk: (what: keyof typeof ASKS) => void }) {
  const choices = isOn
    ? ([
        ["renew", "New backup codes"],
        ["disable", "Turn it off"],
      ] as const)
    : ([["enable", "Set up an app"]] as const);
  return (
    <div className={styles.actions}>
      {choices.map(([what, label]) => (
        <button
          key={what}
          type="button"
          className="button secondary small"
          onClick={() => onAsk(what)}
        >
          {label}
        </button>
      ))}
    </div>
  );
}
