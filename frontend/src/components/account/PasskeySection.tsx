import { useState } from "react";
import { useLoaded } from "@/hooks/useLoaded";
import { addPasskey, listPasskeys, removePasskey, type Passkey } from "@/services/passkeys";
import { Dialog } from "@/components/ui/Dialog";
import { AccountForm } from "./AccountForm";
import styles from "./account.module.css";
import { describeDevice } from "./describeDevice";
import { LoadedPart } from "./LoadedPart";
import { Section } from "./Section";
import { whenWas } from "./whenWas";

const nameOf = ({ name }: Passkey) => name || "Passkey";

export function PasskeySection() {
  const passkeys = useLoaded(listPasskeys);
  const [removing, setRemoving] = useState<Passkey | null>(null);

  return (
    <Section
      id="passkeys"
      title="Passkeys"
      text="With a passkey you sign in by your fingerprint, face or PIN, without a password."
    >
      <LoadedPart loaded={passkeys}>
        {(all) =>
          all.length > 0 && (
            <ul className={styles.list}>
              {all.map((passkey) => (
                <PasskeyRow
                  key={passkey.id}
                  passkey={passkey}
                  onRemove={() => setRemoving(passkey)}
                />
              ))}
            </ul>
          )
        }
      </LoadedPart>
      <AccountForm
        label="Passkey"
        action="Add a passkey"
        done="Added."
        submit={async () => {
          await addPasskey(describeDevice(navigator.userAgent));
          passkeys.reload();
        }}
      />
      {removing && (
        <Dialog
          title="Remove the passkey?"
          action="Remove"
          isDangerous
          onSubmit={async () => {
            await removePasskey(removing.id);
            passkeys.reload();
          }}
          onClose={() => setRemoving(null)}
        >
          <p>“{nameOf(removing)}” will no longer sign you in. Delete it on your device as well.</p>
        </Dialog>
      )}
    </Section>
  );
}

function PasskeyRow({ passkey, onRemove }: { passkey: Passkey; onRemove: () => void }) {
  const { createdAt, backedUp } = passkey;
  return (
    <li>
      <div>
        <strong>{nameOf(passkey)}</strong>
        <span>
          {createdAt && `Added ${whenWas(createdAt)}`}
          {backedUp && ", synchronised between your devices"}
        </span>
      </div>
      <button
        type="button"
        className="button secondary small"
        aria-label={`Remove the passkey: ${nameOf(passkey)}`}
        onClick={onRemove}
      >
        Remove
      </button>
    </li>
  );
}
