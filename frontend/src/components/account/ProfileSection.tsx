import { changeEmail, rename } from "@/services/account";
import { EmailField, Field } from "@/components/sign-in/AuthForm";
import { MailIsLocal } from "@/components/sign-in/SentMail";
import { AccountForm } from "./AccountForm";
import type { AccountUser } from "./accountUser";
import { Section } from "./Section";

const NOTICES = {
  confirmed: "Now open the link that we have sent to your new address.",
  changed: "Your e-mail address is changed.",
  invalid: "This link is no longer valid. Ask for the change again.",
};

export type EmailNotice = keyof typeof NOTICES;

interface ProfileSectionProps {
  user: AccountUser;
  /** Without mail, an address cannot be confirmed. */
  hasMail: boolean;
  isMailLocal: boolean;
  /** What became of a link in a mail. */
  emailNotice?: EmailNotice;
}

export function ProfileSection({ user, hasMail, isMailLocal, emailNotice }: ProfileSectionProps) {
  return (
    <Section id="profile" title="Profile">
      {emailNotice && (
        <p className="notice" role="status">
          {NOTICES[emailNotice]}
        </p>
      )}
      <AccountForm
        label="Name"
        action="Save the name"
        done="Saved."
        submit={({ name = "" }) => rename(name.trim())}
      >
        <Field
          label="Name"
          name="name"
          autoComplete="name"
          defaultValue={user.name}
          maxLength={100}
          pattern=".*\S.*"
        />
      </AccountForm>
      {hasMail ? (
        <AccountForm
          label="E-mail address"
          action="Change the address"
          done={
            user.isEmailVerified
              ? `We have sent a link to ${user.email}. Open it, then the link that the new address gets.`
              : "We have sent a link to the new address. Open it to change the address."
          }
          resets
          submit={({ email = "" }) => changeEmail(email)}
        >
          <p>
            Your e-mail address is <strong>{user.email}</strong>.
          </p>
          <EmailField label="New e-mail address" />
          {isMailLocal && (
            <p className="notice">
              <MailIsLocal />
            </p>
          )}
        </AccountForm>
      ) : (
        <p>
          Your e-mail address is <strong>{user.email}</strong>. It cannot be changed here, because
          this server sends no mail.
        </p>
      )}
    </Section>
  );
}
