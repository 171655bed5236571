import "server-only";
import { config } from "./config";

export interface Mail {
  to: string;
  subject: string;
  text: string;
}

/**
 * Sends through SMTP_URL, which is SES's SMTP interface on AWS. A failure is logged and not thrown: an answer must not
 * tell whether there was somebody to write to.
 */
export async function sendMail(mail: Mail): Promise<void> {
  const { smtp, from } = config.mail!;
  const { createTransport } = await import("nodemailer");
  const transport = createTransport({
    url: smtp.href,
    // Without it the password would be sent as plain text to whoever answers.
    requireTLS: !config.isMailLocal,
    // The defaults are minutes, longer than a function may run.
    connectionTimeout: 5_000,
    greetingTimeout: 5_000,
    socketTimeout: 10_000,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  await transport.sendMail({ from, ...mail }).catch((error: { code?: string }) => {
    // Not the error itself, which quotes the address.
    console.error(`mail: "${mail.subject}" was not sent: ${error.code ?? "unknown"}`);
  });
}
