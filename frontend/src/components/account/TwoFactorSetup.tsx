import { encode } from "uqr";
import { useEffect, useRef } from "react";
import { verifyFirstCode, type Enrolment } from "@/services/two_factor";
import { Field } from "@/components/sign-in/AuthForm";
import { AccountForm } from "./AccountForm";
import styles from "./account.module.css";

interface TwoFactorSetupProps {
  enrolment: Enrolment;
  onDone: () => void;
  onCancel: () => void;
}

/** The key by which the app makes its codes, to be scanned or typed. Nothing is on until a code has come back. */
export default function TwoFactorSetup({ enrolment, onDone, onCancel }: TwoFactorSetupProps) {
  const part = useRef<HTMLDivElement>(null);
  // The dialog before it is gone.
  useEffect(() => part.current?.focus(), []);
  const key = new URL(enrolment.totpURI).searchParams.get("secret") ?? "";

  return (
    <div ref={part} tabIndex={-1} className={styles.setup} aria-label="Set up an app" role="group">
      <p>Scan this with your authenticator app, then enter the code that it shows.</p>
      <QrCode text={enrolment.totpURI} />
      <p>
        Or type this key into the app: <code>{key.match(/.{1,4}/g)?.join(" ")}</code>
      </p>
      <AccountForm
        label="First code"
        action="Turn it on"
        done=""
        submit={async ({ code = "" }) => {
          await verifyFirstCode(code.replaceAll(/\s/g, ""));
          onDone();
        }}
      >
        <Field
          label="Code"
          name="code"
          inputMode="numeric"
          autoComplete="one-time-code"
          maxLength={7}
        />
      </AccountForm>
      <button type="button" className={`link ${styles.cancel}`} onClick={onCancel}>
        Cancel
      </button>
    </div>
  );
}

/** Made here, because the key must reach nobody else. */
function QrCode({ text }: { text: string }) {
  // Scanners need a margin of four squares.
  const { data, size } = encode(text, { border: 4 });
  const path = data
    .flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : "")))
    .join("");
  return (
    <svg
      className={styles.qr}
      viewBox={`0 0 ${size} ${size}`}
      role="img"
      aria-label="QR code for your authenticator app"
      shapeRendering="crispEdges"
    >
      <path d={path} />
    </svg>
  );
}
