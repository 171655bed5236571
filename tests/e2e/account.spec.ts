import { randomInt } from "node:crypto";
import { join } from "node:path";
import type { Browser, CDPSession, Page } from "@playwright/test";
import { expectNoViolations } from "./axe";
import { FrontEnd } from "./front_end";
import { linkTo } from "./mail";
import { codeOf } from "./one_time_code";
import { apiOf, Chat, comeFrom, expect, fillIn, signIn, signUp, test, type Person } from "./parley";

/** Somebody new, because what one test does to an account must not matter to another. */
function somebody(): Person {
  const number = randomInt(1e9);
  return {
    name: `Somebody ${number}`,
    email: `owner-${number}@example.com`,
    password: `copper lantern ${number}`,
  };
}

const partOf = (page: Page, name: string) => page.getByRole("region", { name, exact: true });

const alertOf = (page: Page) => page.getByRole("alert").filter({ hasText: /./ });

async function open(page: Page) {
  await page.goto("/account");
  await expect(partOf(page, "Where you are signed in").getByText("This device")).toBeVisible();
}

/** Signs in on another device. */
async function elsewhere(browser: Browser, person: Person, address: string): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await comeFrom(page, address);
  await signIn(page, person);
  return page;
}

const isSignedIn = async (page: Page) => (await page.request.get("/api/auth/token")).ok();

async function signOut(page: Page) {
  await page.goto("/chat");
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page).toHaveURL("/sign-in");
}

async function beginSignIn(page: Page, person: Person) {
  await page.goto("/sign-in");
  await fillIn(page, { email: person.email, password: person.password });
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

/** A device with a fingerprint reader. `unlocks`: whether it is its owner's finger. */
async function addAuthenticator(page: Page): Promise<(unlocks: boolean) => Promise<void>> {
  const cdp: CDPSession = await page.context().newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return async (unlocks) => {
    await cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: unlocks });
  };
}

test("the chat page leads to the account, and back, by keyboard", async ({ page }) => {
  const person = somebody();
  await signUp(page, person);
  await page.getByRole("link", { name: "Your account" }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Your account" })).toBeVisible();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to the account" })).toBeFocused();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await expect(page.getByRole("textbox", { name: "Name" })).toBeFocused();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type("Renamed");
  await page.keyboard.press("Enter");
  await expect(partOf(page, "Profile").getByText("Saved.")).toBeVisible();
  await page.getByRole("link", { name: "Back to the chat" }).click();
  await expect(page.getByRole("heading", { name: "Good to see you, Renamed." })).toBeVisible();
});

test("the account page is for who is signed in, and signing in leads there", async ({ page }) => {
  const person = somebody();
  await signUp(page, person);
  await signOut(page);
  await page.goto("/account");
  await expect(page).toHaveURL("/sign-in?to=account");
  await fillIn(page, { email: person.email, password: person.password });
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await expect(page).toHaveURL("/account");
});

test("the page has no violations, on a phone neither", async ({ page }) => {
  await signUp(page, somebody());
  await open(page);
  await expectNoViolations(page);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: 800 });
      const path = `test-results/screenshots/account-${width}-${colorScheme}.png`;
      await page.screenshot({ path, fullPage: true });
    }
  }
  await page.setViewportSize({ width: 360, height: 740 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
  await expectNoViolations(page);
});

test("an e-mail address is changed when both addresses have agreed", async ({ page }) => {
  const person = somebody();
  const email = `new-${person.email}`;
  await signUp(page, person);
  await open(page);
  const profile = partOf(page, "Profile");
  await profile.getByLabel("New e-mail address").fill(email);
  await profile.getByRole("button", { name: "Change the address" }).click();
  await expect(profile.getByText("We have sent a link to")).toBeVisible();
  const first = await linkTo(person.email, "Change your e-mail address");
  await page.goto(first);
  await expect(profile.getByText("Now open the link")).toBeVisible();
  await expect(profile).toContainText(`Your e-mail address is ${person.email}.`);
  await page.goto(await linkTo(email));
  await expect(profile.getByText("Your e-mail address is changed.")).toBeVisible();
  await expect(profile).toContainText(`Your e-mail address is ${email}.`);

  await page.goto(first);
  await expect(profile.getByText("This link is no longer valid")).toBeVisible();
  await signOut(page);
  await signIn(page, { ...person, email });
});

test("a new password needs the old one, and ends the other sessions", async ({ browser, page }) => {
  const person = somebody();
  await signUp(page, person);
  const other = await elsewhere(browser, person, "198.51.100.31");
  await open(page);
  const part = partOf(page, "Password");
  const change = async (current: string, password: string) => {
    await part.getByLabel("Current password").fill(current);
    await part.getByLabel("New password").fill(password);
    await part.getByRole("button", { name: "Change the password" }).click();
  };
  await change("not the right one", "silver thimble 12");
  await expect(alertOf(page)).toContainText("This is not your current password.");
  await change(person.password, "Password123!");
  await expect(alertOf(page)).toContainText("This password is easy to guess");
  expect(await isSignedIn(other)).toBe(true);
  await change(person.password, "silver thimble 12");
  await expect(part.getByText("Your password is changed.")).toBeVisible();
  await expect(partOf(page, "Where you are signed in").getByRole("listitem")).toHaveCount(1);
  expect(await isSignedIn(other)).toBe(false);
  expect(await isSignedIn(page)).toBe(true);
  await signOut(page);
  await signIn(page, { ...person, password: "silver thimble 12" });
});

test("sessions tell device and address, and are ended one by one or together", async ({
  browser,
  page,
}) => {
  const person = somebody();
  await signUp(page, person);
  const others = [
    await elsewhere(browser, person, "198.51.100.32"),
    await elsewhere(browser, person, "198.51.100.33"),
    await elsewhere(browser, person, "198.51.100.34"),
  ];
  await open(page);
  const part = partOf(page, "Where you are signed in");
  const rows = part.getByRole("listitem");
  await expect(rows).toHaveCount(4);
  await expect(rows.first()).toContainText("This device");
  const row = rows.filter({ hasText: "From 198.51.100.33" });
  await expect(row).toContainText("Chrome on Linux");
  await row.getByRole("button", { name: /^End the session: Chrome on Linux/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "End the session" }).click();
  await expect(rows).toHaveCount(3);
  await expect(part.getByRole("heading")).toBeFocused();
  expect(await Promise.all(others.map(isSignedIn))).toEqual([true, false, true]);

  await part.getByRole("button", { name: "Sign out everywhere else" }).click();
  await expectNoViolations(page);
  await page.getByRole("dialog").getByRole("button", { name: "Sign out" }).click();
  await expect(rows).toHaveCount(1);
  expect(await Promise.all(others.map(isSignedIn))).toEqual([false, false, false]);
  expect(await isSignedIn(page)).toBe(true);
});

test("a passkey signs in, if its device is unlocked, until it is removed", async ({ page }) => {
  const person = somebody();
  await signUp(page, person);
  const setUnlocks = await addAuthenticator(page);
  await open(page);
  const part = partOf(page, "Passkeys");
  await part.getByRole("button", { name: "Add a passkey" }).click();
  await expect(part.getByRole("listitem")).toContainText("Chrome on Linux");
  await part.getByRole("button", { name: "Add a passkey" }).click();
  await expect(alertOf(page)).toContainText("has a passkey for your account already");
  await expectNoViolations(page);

  await signOut(page);
  const button = page.getByRole("button", { name: "Use a passkey" });
  await setUnlocks(false);
  await button.click();
  await expect(alertOf(page)).toContainText("The passkey was not used");
  await expectNoViolations(page);
  await setUnlocks(true);
  await button.click();
  await expect(page).toHaveURL("/chat");

  await open(page);
  await part.getByRole("button", { name: "Remove the passkey: Chrome on Linux" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await expect(part.getByRole("listitem")).toHaveCount(0);
  await signOut(page);
  await button.click();
  await expect(alertOf(page)).toContainText("This passkey belongs to no account here.");
});

test("the server itself refuses a passkey whose device was not unlocked", async ({ page }) => {
  await signUp(page, somebody());
  const setUnlocks = await addAuthenticator(page);
  await open(page);
  await partOf(page, "Passkeys").getByRole("button", { name: "Add a passkey" }).click();
  await expect(partOf(page, "Passkeys").getByRole("listitem")).toHaveCount(1);
  await signOut(page);
  await setUnlocks(false);
  const answer = await page.evaluate(async () => {
    const options = (await (
      await fetch("/api/auth/passkey/generate-authenticate-options")
    ).json()) as PublicKeyCredentialRequestOptionsJSON;
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON({
      ...options,
      userVerification: "discouraged",
    });
    const credential = (await navigator.credentials.get({ publicKey })) as PublicKeyCredential;
    const verified = await fetch("/api/auth/passkey/verify-authentication", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ response: credential.toJSON() }),
    });
    return { status: verified.status, body: (await verified.json()) as { code: string } };
  });
  expect(answer).toMatchObject({ status: 401, body: { code: "USER_NOT_VERIFIED" } });
  expect(await isSignedIn(page)).toBe(false);
});

test("with two steps, a password alone signs nobody in", async ({ page }) => {
  const person = somebody();
  await signUp(page, person);
  await open(page);
  const part = partOf(page, "Two-step sign-in");
  const dialog = page.getByRole("dialog");
  await part.getByRole("button", { name: "Set up an app" }).click();
  await dialog.getByLabel("Password").fill("not the right one");
  await dialog.getByRole("button", { name: "Go on" }).click();
  await expect(dialog.getByRole("alert")).toBeVisible();
  await dialog.getByLabel("Password").fill(person.password);
  await dialog.getByRole("button", { name: "Go on" }).click();
  await expect(part.getByRole("img", { name: "QR code" })).toBeVisible();
  await expect(part.getByRole("group", { name: "Set up an app" })).toBeFocused();
  await expectNoViolations(page);
  await part.screenshot({ path: "test-results/screenshots/account-qr-dark.png" });
  const key = (await part.locator("code").innerText()).replaceAll(" ", "");
  await part.getByRole("textbox", { name: "Code" }).fill("000000");
  await part.getByRole("button", { name: "Turn it on" }).click();
  await expect(alertOf(page)).toContainText("This code is not right.");
  await part.getByRole("textbox", { name: "Code" }).fill(codeOf(key));
  await part.getByRole("button", { name: "Turn it on" }).click();
  const shown = part.getByRole("group", { name: "Backup codes" }).getByRole("listitem");
  await expect(shown).toHaveCount(10);
  const codes = await shown.allInnerTexts();
  await expectNoViolations(page);
  const download = page.waitForEvent("download");
  await part.getByRole("button", { name: "Save as a file" }).click();
  expect((await download).suggestedFilename()).toBe("parley-backup-codes.txt");
  await part.getByRole("button", { name: "I have kept them" }).click();
  await expect(part.getByText("Two-step sign-in is on.")).toBeVisible();

  await signOut(page);
  await beginSignIn(page, person);
  const code = page.getByRole("textbox", { name: "Code" });
  await expect(code).toBeFocused();
  expect(await isSignedIn(page)).toBe(false);
  await expectNoViolations(page);
  await page.screenshot({ path: "test-results/screenshots/code-dark.png" });
  await code.fill("123456");
  await page.keyboard.press("Enter");
  await expect(alertOf(page)).toContainText("This code is not right.");
  await code.fill(codeOf(key));
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL("/chat");

  for (const [text, works] of [
    [codes[0]!, true],
    [codes[0]!, false],
  ] as const) {
    if (await isSignedIn(page)) await signOut(page);
    await beginSignIn(page, person);
    await code.fill(text);
    await page.keyboard.press("Enter");
    if (works) await expect(page).toHaveURL("/chat");
    else await expect(alertOf(page)).toContainText("has been used already");
  }

  await beginSignIn(page, person);
  await code.fill(codes[1]!);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL("/chat");
  await open(page);
  await part.getByRole("button", { name: "Turn it off" }).click();
  await dialog.getByLabel("Password").fill(person.password);
  await dialog.getByRole("button", { name: "Turn off" }).click();
  await expect(part.getByText("Two-step sign-in is off.")).toBeVisible();
  await signOut(page);
  await signIn(page, person);
});

test("instructions are counted as the API counts, and kept, as is the model", async ({ page }) => {
  await signUp(page, somebody());
  await open(page);
  const part = partOf(page, "Assistant");
  const instructions = part.getByRole("textbox", { name: "Instructions" });
  const save = part.getByRole("button", { name: "Save the instructions" });
  await instructions.fill("🦊".repeat(1_501));
  await expect(part.getByText("1,501 of 1,500 characters")).toBeVisible();
  await expect(save).toBeDisabled();
  await expectNoViolations(page);
  await instructions.fill("🦊".repeat(1_500));
  await save.click();
  await expect(part.getByText("They hold from your next message on.")).toBeVisible();
  await part.getByLabel("Model of new conversations").selectOption("offline-2");
  await part.getByRole("button", { name: "Save the model" }).click();
  await expect(part.getByText("New conversations begin with it.")).toBeVisible();

  await page.reload();
  await expect(instructions).toHaveValue("🦊".repeat(1_500));
  await expect(part.getByLabel("Model of new conversations")).toHaveValue("offline-2");
  await instructions.fill("");
  await save.click();
  await expect(part.getByText("They hold from your next message on.")).toBeVisible();
  await page.reload();
  await expect(instructions).toHaveValue("");
});

test("what was used is shown, and can be taken away and brought elsewhere", async ({
  browser,
  page,
}) => {
  await signUp(page, somebody());
  const chat = new Chat(page);
  await chat.start();
  await chat.ask("Please write a long answer about rivers");
  await open(page);
  const usage = partOf(page, "Usage");
  await expect(usage.getByRole("definition").first()).toHaveText("1");
  await expect(usage.getByRole("img", { name: /^Tokens of each day/ })).toBeVisible();
  await usage.getByText("By day and model").click();
  await expect(usage.getByRole("row")).toHaveCount(2);
  await expectNoViolations(page);
  for (const [width, colorScheme] of [
    [1280, "light"],
    [390, "dark"],
  ] as const) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 800 });
    const path = `test-results/screenshots/account-used-${width}-${colorScheme}.png`;
    await page.screenshot({ path, fullPage: true });
  }

  const data = partOf(page, "Your data");
  const download = page.waitForEvent("download");
  await data.getByRole("button", { name: "Export everything" }).click();
  const file = await (await download).path();
  await expect(data.getByText(/^Saved, /)).toBeVisible();

  const other = await (await browser.newContext()).newPage();
  await comeFrom(other, "198.51.100.35");
  await signUp(other, somebody());
  await open(other);
  const there = partOf(other, "Your data");
  await there.getByLabel("A file that Parley has exported").setInputFiles(file);
  await there.getByRole("button", { name: "Import" }).click();
  await expect(there.getByText("2 messages in 1 conversation imported.")).toBeVisible();
  await there.getByRole("button", { name: "Import" }).click();
  await expect(there.getByText("2 messages had been imported before.")).toBeVisible();
  await expectNoViolations(other);
  await there.getByLabel("A file that Parley has exported").setInputFiles({
    name: "letter.json",
    mimeType: "application/json",
    buffer: Buffer.from("Dear Ada"),
  });
  await there.getByRole("button", { name: "Import" }).click();
  await expect(alertOf(other)).toContainText("This is neither an export of Parley's");
  await other.goto("/chat");
  await expect(new Chat(other).conversations.getByText(/long answer/).first()).toBeVisible();
});

test("a shared conversation is read by anybody, until its link is revoked", async ({
  browser,
  page,
}) => {
  await signUp(page, somebody());
  const chat = new Chat(page);
  await chat.start();
  await chat.ask("Please write a long answer about rivers");
  const id = await chat.conversationId();
  const { userId, call } = await apiOf(page);
  const answer = await call("POST", `${userId}/conversations/${id}/share`, {});
  const { path } = (await answer.json()) as { path: string };

  const anybody = await (await browser.newContext()).newPage();
  await anybody.goto(path);
  await expect(anybody.getByRole("article")).toHaveCount(2);
  await expect(anybody.getByRole("table").first()).toBeVisible();
  await expect(anybody.locator("meta[name=robots]").first()).toHaveAttribute("content", /noindex/);
  expect(await anybody.content()).not.toContain(userId);
  await expectNoViolations(anybody);
  await anybody.screenshot({ path: "test-results/screenshots/shared-dark.png" });
  await anybody.setViewportSize({ width: 360, height: 740 });
  expect(await anybody.evaluate(() => document.documentElement.scrollWidth)).toBe(360);

  await open(page);
  const part = partOf(page, "Shared conversations");
  await part.getByRole("button", { name: /^Revoke the link/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await expect(part.getByText("You share nothing.")).toBeVisible();
  await anybody.reload();
  await expect(anybody.getByRole("heading", { name: "Nothing is shared here" })).toBeVisible();
  await expectNoViolations(anybody);
});

test("an account is erased when its address and password are typed", async ({ page }) => {
  const person = somebody();
  await signUp(page, person);
  await open(page);
  await page.getByRole("button", { name: "Erase my account" }).click();
  const dialog = page.getByRole("dialog");
  const confirm = async (email: string, password: string) => {
    await dialog.getByLabel("Your e-mail address").fill(email);
    await dialog.getByLabel("Your password").fill(password);
    await dialog.getByRole("button", { name: "Erase everything" }).click();
  };
  await expectNoViolations(page);
  await confirm("ada@example.com", person.password);
  await expect(dialog.getByRole("alert")).toBeVisible();
  await confirm(person.email, "not the right one");
  await expect(dialog.getByRole("alert")).toContainText("password");
  expect(await isSignedIn(page)).toBe(true);
  await confirm(person.email, person.password);
  await expect(page).toHaveURL("/sign-up");
  await beginSignIn(page, person);
  await expect(alertOf(page)).toContainText("Invalid email or password");
});

for (const [verified, answer] of [
  ["yes", { path: "/chat", isSignedIn: true }],
  ["no", { path: "/sign-in?error=email_not_verified", isSignedIn: false }],
] as const) {
  test(`an account of GitHub's signs in if its address is confirmed there: ${verified}`, async () => {
    const standIn = join(import.meta.dirname, "github.mjs");
    const server = await FrontEnd.start({
      GITHUB_CLIENT_ID: "id",
      GITHUB_CLIENT_SECRET: "secret",
      GITHUB_EMAIL: somebody().email,
      GITHUB_EMAIL_VERIFIED: verified,
      NODE_OPTIONS: `--import=${standIn}`,
    });
    try {
      const { request } = server;
      for (const path of ["/sign-in", "/sign-up"]) {
        const text = await (await request.get(path)).text();
        expect(text).toContain("Continue with GitHub");
        expect(text).not.toContain("Continue with Google");
      }
      const begun = await request.post("/api/auth/sign-in/social", {
        data: { provider: "github", callbackURL: "/chat", errorCallbackURL: "/sign-in" },
        headers: { Origin: process.env.PARLEY_URL! },
      });
      const url = new URL(((await begun.json()) as { url: string }).url);
      expect(url.origin).toBe("https://github.com");
      const callback = `${process.env.PARLEY_URL}/api/auth/callback/github`;
      expect(url.searchParams.get("redirect_uri")).toBe(callback);
      const back = await request.get("/api/auth/callback/github", {
        params: { code: "code", state: url.searchParams.get("state")! },
        maxRedirects: 0,
      });
      const { pathname, searchParams } = new URL(back.headers().location!, process.env.PARLEY_URL);
      const error = searchParams.get("error");
      const ok = (await request.get("/api/auth/token")).ok();
      expect({ path: error ? `${pathname}?error=${error}` : pathname, isSignedIn: ok }).toEqual(
        answer,
      );
    } finally {
      await server.stop();
    }
  });
}
