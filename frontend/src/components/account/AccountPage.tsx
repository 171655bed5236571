"use client";

import Link from "next/link";
import { useState, type ReactNode } from "react";
import { useLoaded, type Loaded } from "@/hooks/useLoaded";
import { AccessToken } from "@/services/access_token";
import { listSessions, listSignInMethods, type SignInMethod } from "@/services/account";
import { AccountApi } from "@/services/account_api";
import { issueAccessToken } from "@/services/auth";
import { Brand } from "@/components/ui/Brand";
import type { SocialProvider } from "@/components/sign-in/SignInAlternatives";
import styles from "./account.module.css";
import type { AccountUser } from "./accountUser";
import { AssistantSection } from "./AssistantSection";
import { DataSection } from "./DataSection";
import { EraseSection } from "./EraseSection";
import { LoadedPart } from "./LoadedPart";
import { PasskeySection } from "./PasskeySection";
import { PasswordSection } from "./PasswordSection";
import { ProfileSection, type EmailNotice } from "./ProfileSection";
import { SessionSection } from "./SessionSection";
import { SharesSection } from "./SharesSection";
import { SocialSection } from "./SocialSection";
import { TwoFactorSection } from "./TwoFactorSection";
import { UsageSection } from "./UsageSection";

interface AccountPageProps {
  apiUrl: string;
  user: AccountUser;
  hasMail: boolean;
  isMailLocal: boolean;
  socialProviders: SocialProvider[];
  emailNotice?: EmailNotice;
  hasConnectingFailed: boolean;
}

const PARTS = [
  ["profile", "Profile"],
  ["sign-in", "Signing in"],
  ["sessions", "Devices"],
  ["assistant", "Assistant"],
  ["usage", "Usage"],
  ["data", "Your data"],
  ["erase", "Erase"],
] as const;

export function AccountPage(props: AccountPageProps) {
  const { apiUrl, user } = props;
  const [api] = useState(
    () => new AccountApi(apiUrl, user.id, new AccessToken(user.id, issueAccessToken)),
  );
  const methods = useLoaded(listSignInMethods);
  const hasPassword = methods.value?.some(({ providerId }) => providerId === "credential");
  return (
    <Frame>
      <ProfileSection {...props} />
      <SignInSections {...props} methods={methods} hasPassword={hasPassword ?? false} />
      <AssistantSection api={api} />
      <UsageSection api={api} />
      <DataSection api={api} />
      <SharesSection api={api} />
      {hasPassword !== undefined && <EraseSection email={user.email} hasPassword={hasPassword} />}
    </Frame>
  );
}

/** The page around all that one can set. */
function Frame({ children }: { children: ReactNode }) {
  return (
    <div className={styles.page}>
      <a className="skip-link" href="#account">
        Skip to the account
      </a>
      <header className={styles.header}>
        <Brand />
        <Link href="/chat" className="button secondary small">
          Back to the chat
        </Link>
      </header>
      <div className={styles.columns}>
        <nav className={styles.nav} aria-label="Parts of this page">
          <ul>
            {PARTS.map(([id, name]) => (
              <li key={id}>
                <a href={`#${id}`}>{name}</a>
              </li>
            ))}
          </ul>
        </nav>
        <main id="account" tabIndex={-1} className={styles.main}>
          <h1>Your account</h1>
          {children}
        </main>
      </div>
    </div>
  );
}

interface SignInSectionsProps extends AccountPageProps {
  methods: Loaded<SignInMethod[]>;
  hasPassword: boolean;
}

function SignInSections(props: SignInSectionsProps) {
  const { user, hasMail, socialProviders, hasConnectingFailed, methods, hasPassword } = props;
  const sessions = useLoaded(listSessions);
  return (
    <div id="sign-in">
      <LoadedPart loaded={methods}>
        {(all) => (
          <>
            <PasswordSection
              email={user.email}
              hasPassword={hasPassword}
              hasMail={hasMail}
              onChange={sessions.reload}
            />
            {hasPassword && (
              <TwoFactorSection isOn={user.hasTwoFactor} onChange={sessions.reload} />
            )}
            <SocialSection
              providers={socialProviders}
              methods={all}
              reload={methods.reload}
              hasFailed={hasConnectingFailed}
            />
          </>
        )}
      </LoadedPart>
      <PasskeySection />
      <SessionSection sessions={sessions} />
    </div>
  );
}
