"use client";

import Link from "next/link";
import type { ReactNode } from "react";
import { useLoaded } from "@/hooks/useLoaded";
import { listSessions, listSignInMethods } from "@/services/account";
import { Brand } from "../Brand";
import type { SocialProvider } from "../SignInAlternatives";
import styles from "./account.module.css";
import type { AccountUser } from "./accountUser";
import { LoadedPart } from "./LoadedPart";
import { PasskeySection } from "./PasskeySection";
import { PasswordSection } from "./PasswordSection";
import { ProfileSection, type EmailNotice } from "./ProfileSection";
import { SessionSection } from "./SessionSection";
import { SocialSection } from "./SocialSection";
import { TwoFactorSection } from "./TwoFactorSection";

interface AccountPageProps {
  user: AccountUser;
  hasMail: boolean;
  isMailLocal: boolean;
  socialProviders: SocialProvider[];
  emailNotice?: EmailNotice;
  hasConnectingFailed: boolean;
}

const PARTS = [
  ["profile", "Profile"],
  ["password", "Signing in"],
  ["sessions", "Devices"],
] as const;

export function AccountPage(props: AccountPageProps) {
  return (
    <Frame>
      <ProfileSection {...props} />
      <SignInSections {...props} />
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

function SignInSections(props: AccountPageProps) {
  const { user, hasMail, socialProviders, hasConnectingFailed } = props;
  const sessions = useLoaded(listSessions);
  const methods = useLoaded(listSignInMethods);
  return (
    <>
      <LoadedPart loaded={methods}>
        {(all) => {
          const hasPassword = all.some(({ providerId }) => providerId === "credential");
          return (
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
          );
        }}
      </LoadedPart>
      <PasskeySection />
      <SessionSection sessions={sessions} />
    </>
  );
}
