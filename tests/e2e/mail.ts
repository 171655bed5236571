import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "@playwright/test";

export interface Mail {
  to: string;
  subject: string;
  text: string;
}

/** What the mail server on this machine has delivered to somebody, oldest first. */
export function mailTo(address: string): Mail[] {
  const folder = process.env.MAIL!;
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as Mail)
    .filter((mail) => mail.to === address);
}

/** The link in the latest mail of this kind. */
export async function linkTo(
  address: string,
  subject = "Confirm your e-mail address",
): Promise<string> {
  const find = () => mailTo(address).findLast((mail) => mail.subject === subject);
  await expect.poll(find).toBeTruthy();
  return /http\S+/.exec(find()!.text)![0];
}
