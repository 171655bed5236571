import { changePassword } from "@/services/account";
import { requestPasswordReset } from "@/services/auth";
import { explainRefusal } from "@/services/explain_refusal";
import { ApiError } from "@/services/errors";
import { Field, NewPasswordField } from "@/components/sign-in/AuthForm";
import { AccountForm } from "./AccountForm";
import { Section } from "./Section";

interface PasswordSectionProps {
  email: string;
  hasPassword: boolean;
  hasMail: boolean;
  /** The other sessions are over. */
  onChange: () => void;
}

async function sendLink(email: string) {
  const { refusal } = await requestPasswordReset(email);
  if (refusal) throw new ApiError(explainRefusal(refusal), refusal.status);
}

export function PasswordSection({ email, hasPassword, hasMail, onChange }: PasswordSectionProps) {
  if (!hasPassword && !hasMail) return null;
  if (!hasPassword) {
    return (
      <Section id="password" title="Password">
        <AccountForm
          label="Password"
          action="Send me a link"
          done={`We have sent a link to ${email}.`}
          submit={() => sendLink(email)}
        >
          <p>You have no password here. A link in a mail lets you choose one.</p>
        </AccountForm>
      </Section>
    );
  }
  return (
    <Section
      id="password"
      title="Password"
      text="A new password signs you out everywhere but here."
    >
      <AccountForm
        label="Password"
        action="Change the password"
        done="Your password is changed. You are signed out everywhere else."
        resets
        submit={async ({ current = "", password = "" }) => {
          await changePassword(current, password);
          onChange();
        }}
      >
        <Field
          label="Current password"
          name="current"
          type="password"
          autoComplete="current-password"
          maxLength={128}
        />
        <NewPasswordField label="New password" />
      </AccountForm>
    </Section>
  );
}
