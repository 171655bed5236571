import { useState } from "react";
import type { Loaded } from "@/hooks/useLoaded";
import { revokeOtherSessions, revokeSession, type Session } from "@/services/account";
import { Dialog } from "@/components/ui/Dialog";
import styles from "./account.module.css";
import { describeDevice } from "./describeDevice";
import { LoadedPart } from "./LoadedPart";
import { Section } from "./Section";
import { whenWas } from "./whenWas";

export function SessionSection({ sessions }: { sessions: Loaded<Session[]> }) {
  const [ending, setEnding] = useState<Session | "others" | null>(null);

  async function end() {
    await (ending === "others" ? revokeOtherSessions() : revokeSession(ending!.token));
    sessions.reload();
  }

  return (
    <Section
      id="sessions"
      title="Where you are signed in"
      text="If you do not recognise one of these, end it and change your password."
    >
      <LoadedPart loaded={sessions}>
        {(all) => (
          <>
            <ul className={styles.list}>
              {all.map((session) => (
                <SessionRow key={session.id} session={session} onEnd={() => setEnding(session)} />
              ))}
            </ul>
            {all.length > 1 && (
              <div className={styles.actions}>
                <button
                  type="button"
                  className="button secondary small"
                  onClick={() => setEnding("others")}
                >
                  Sign out everywhere else
                </button>
              </div>
            )}
          </>
        )}
      </LoadedPart>
      {ending && (
        <Dialog
          title={ending === "others" ? "Sign out everywhere else?" : "End this session?"}
          action={ending === "others" ? "Sign out" : "End the session"}
          onSubmit={end}
          onClose={() => setEnding(null)}
        >
          <p>
            {ending === "others" ? "Every other device" : describeDevice(ending.userAgent)} will
            have to sign in again.
          </p>
        </Dialog>
      )}
    </Section>
  );
}

function SessionRow({ session, onEnd }: { session: Session; onEnd: () => void }) {
  const { userAgent, ipAddress, createdAt, isCurrent } = session;
  const device = describeDevice(userAgent);
  return (
    <li>
      <div>
        <strong>{device}</strong>
        <span>
          {ipAddress ? `From ${ipAddress}, signed` : "Signed"} in {whenWas(createdAt)}
        </span>
      </div>
      {isCurrent ? (
        <span className={styles.badge}>This device</span>
      ) : (
        <button
          type="button"
          className="button secondary small"
          aria-label={`End the session: ${device}, ${whenWas(createdAt)}`}
          onClick={onEnd}
        >
          End
        </button>
      )}
    </li>
  );
}
