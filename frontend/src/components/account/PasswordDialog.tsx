import { useState } from "react";
import { Dialog } from "@/components/ui/Dialog";

interface PasswordDialogProps {
  title: string;
  text: string;
  action: string;
  isDangerous?: boolean;
  onPassword: (password: string) => Promise<unknown>;
  onClose: () => void;
}

/** Asks for the password before something that protects the account is changed. */
export function PasswordDialog({ text, onPassword, ...dialog }: PasswordDialogProps) {
  const [password, setPassword] = useState("");
  return (
    <Dialog {...dialog} onSubmit={() => onPassword(password)}>
      <p>{text}</p>
      <input
        type="password"
        aria-label="Password"
        placeholder="Your password"
        autoComplete="current-password"
        value={password}
        required
        autoFocus
        onChange={(event) => setPassword(event.target.value)}
      />
    </Dialog>
  );
}
