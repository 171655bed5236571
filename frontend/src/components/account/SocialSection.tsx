import type { Loaded } from "@/hooks/useLoaded";
import { connect, disconnect, type SignInMethod } from "@/services/account";
import type { SocialProvider } from "@/components/sign-in/SignInAlternatives";
import { AccountForm } from "./AccountForm";
import { Section } from "./Section";

interface SocialSectionProps {
  providers: SocialProvider[];
  methods: SignInMethod[];
  reload: Loaded<unknown>["reload"];
  /** An attempt to connect one has failed. */
  hasFailed: boolean;
}

async function leaveFor(provider: string) {
  window.location.assign(await connect(provider));
}

export function SocialSection({ providers, methods, reload, hasFailed }: SocialSectionProps) {
  if (providers.length === 0) return null;
  return (
    <Section
      id="connected"
      title="Connected accounts"
      text="You can sign in with an account that has the same e-mail address as this one."
    >
      {hasFailed && (
        <p className="alert" role="alert">
          The account was not connected. It must have the same e-mail address, confirmed there, and
          belong to nobody else here.
        </p>
      )}
      {providers.map(({ id, name }) => {
        const connected = methods.find(({ providerId }) => providerId === id);
        return connected ? (
          <AccountForm
            key={id}
            label={name}
            action={`Disconnect ${name}`}
            done=""
            submit={async () => {
              await disconnect(connected.id);
              reload();
            }}
          >
            <p>{name} is connected.</p>
          </AccountForm>
        ) : (
          <AccountForm
            key={id}
            label={name}
            action={`Connect ${name}`}
            done=""
            submit={() => leaveFor(id)}
          />
        );
      })}
    </Section>
  );
}
