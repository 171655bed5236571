import { useCallback, useState } from "react";
import { useLoaded } from "@/hooks/useLoaded";
import type { AccountApi } from "@/services/account_api";
import type { SharedConversation } from "@/services/types";
import { Dialog } from "@/components/ui/Dialog";
import styles from "./account.module.css";
import { LoadedPart } from "./LoadedPart";
import { Section } from "./Section";
import { whenWas } from "./whenWas";

/** Nothing where sharing is off. */
export function SharesSection({ api }: { api: AccountApi }) {
  const load = useCallback(() => api.listShared(), [api]);
  const loaded = useLoaded(load);
  const [revoking, setRevoking] = useState<SharedConversation | null>(null);
  if (loaded.value === null) return null;
  return (
    <Section
      id="shares"
      title="Shared conversations"
      text="Anyone with such a link can read the conversation as it was when you shared it."
    >
      <LoadedPart loaded={loaded}>
        {(all) =>
          all && all.length > 0 ? (
            <ul className={styles.list}>
              {all.map((shared) => (
                <ShareRow key={shared.id} shared={shared} onRevoke={() => setRevoking(shared)} />
              ))}
            </ul>
          ) : (
            <p>You share nothing.</p>
          )
        }
      </LoadedPart>
      {revoking && (
        <Dialog
          title="Revoke the link?"
          action="Revoke"
          isDangerous
          onSubmit={async () => {
            await api.revokeShared(revoking.id);
            loaded.reload();
          }}
          onClose={() => setRevoking(null)}
        >
          <p>“{revoking.title}” can no longer be read by its link. This cannot be undone.</p>
        </Dialog>
      )}
    </Section>
  );
}

function ShareRow({ shared, onRevoke }: { shared: SharedConversation; onRevoke: () => void }) {
  const { title, created_at, expires_at, tool_outputs } = shared;
  return (
    <li>
      <div>
        <strong dir="auto">{title}</strong>
        <span>
          Shared {whenWas(created_at)}
          {expires_at && `, until ${whenWas(expires_at)}`}
          {tool_outputs && ", with what tools returned"}
        </span>
      </div>
      <button
        type="button"
        className="button secondary small"
        aria-label={`Revoke the link: ${title}`}
        onClick={onRevoke}
      >
        Revoke
      </button>
    </li>
  );
}
