import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import type { APIRequestContext, Browser, Page } from "@playwright/test";
import { expectNoViolations } from "./axe";
import { FrontEnd, Network } from "./front_end";
import { linkTo, mailTo } from "./mail";
import { codeOf } from "./one_time_code";
import {
  ADA,
  ADDRESS,
  comeFrom,
  expect,
  fillIn,
  signIn,
  signUp,
  test,
  type Person,
} from "./parley";

const LINK_TO_RESET = "Choose a new password";

/** Somebody new, because what one test does to an account must not matter to another. */
function somebody(): Person {
  const number = randomInt(1e9);
  return {
    name: `Somebody ${number}`,
    email: `somebody-${number}@example.com`,
    password: `violet staircase ${number}`,
  };
}

const someAddress = () => `203.0.113.${randomInt(1, 255)}`;

const alertOf = (page: Page) => page.getByRole("alert").filter({ hasText: /./ });

async function pageOf(browser: Browser, address: string): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await comeFrom(page, address);
  return page;
}

async function post(request: APIRequestContext, path: string, data: object, headers = {}) {
  const started = Date.now();
  const response = await request.post(`/api/auth${path}`, {
    data,
    headers: { Origin: process.env.PARLEY_URL!, [ADDRESS]: someAddress(), ...headers },
  });
  const { date, "content-length": length, ...kept } = response.headers();
  // What a browser is given to keep is made anew each time.
  kept["set-cookie"] = kept["set-cookie"]?.replace(/=[^;]*/, "=") ?? "";
  return {
    status: response.status(),
    headers: kept,
    body: (await response.json()) as Record<string, unknown>,
    ms: Date.now() - started,
  };
}

/** The shape of a body: names and types, not the values, of which some are made anew each time. */
function shapeOf(value: unknown): unknown {
  if (value === null || typeof value !== "object") return value === null ? null : typeof value;
  return Object.entries(value).map(([name, inner]) => [name, shapeOf(inner)]);
}

async function wrongPassword(page: Page, person: Person) {
  await fillIn(page, { email: person.email, password: "not the right one" });
  const answer = page.waitForResponse("**/api/auth/sign-in/email");
  await page.getByRole("button", { name: "Sign in" }).click();
  await answer;
  await expect(page.getByRole("button", { name: "Sign in" })).toBeEnabled();
}

async function askForLink(page: Page, { email }: Person) {
  await expect(page.getByRole("heading", { name: "Forgot your password?" })).toBeVisible();
  await fillIn(page, { email });
  await page.getByRole("button", { name: "Send me a link" }).click();
  await expect(page.getByRole("heading", { name: "Check your mail" })).toBeFocused();
}

test("an address is confirmed by the link in the mail, by keyboard", async ({ page }) => {
  const person = somebody();
  await page.goto("/sign-up");
  await expect(page.getByRole("button", { name: "Create account" })).toBeEnabled();
  await page.getByLabel("Name").focus();
  for (const text of [person.name, person.email, person.password]) {
    await page.keyboard.type(text);
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Enter");
  const heading = page.getByRole("heading", { name: "Check your mail" });
  await expect(heading).toBeFocused();
  await expect(page.getByText("make dev")).toBeVisible();
  await expectNoViolations(page);
  await page.screenshot({ path: "test-results/screenshots/check-mail-dark.png" });

  await page.goto("/sign-in");
  await fillIn(page, { email: person.email, password: person.password });
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(alertOf(page)).toContainText("Confirm your e-mail address first");
  await page.getByRole("button", { name: "Send the link again" }).click();
  await expect(page.getByRole("status").filter({ hasText: "Sent again." })).toBeVisible();
  expect(mailTo(person.email)).toHaveLength(2);
  await expectNoViolations(page);
  await page.screenshot({ path: "test-results/screenshots/unverified-dark.png" });

  const link = await linkTo(person.email);
  await page.goto(link.replace("token=", "token=x"));
  await expect(page.getByRole("status")).toContainText("This link is no longer valid");
  await page.goto(link);
  await expect(page.getByRole("status")).toContainText("Your e-mail address is confirmed");
  await signIn(page, person);
});

test("sign-up answers the same whether an address is known or not", async ({ page }) => {
  const stranger = somebody();
  const known = await post(page.request, "/sign-up/email", { ...ADA, password: "violet stairs" });
  const unknown = await post(page.request, "/sign-up/email", stranger);
  expect(known.status).toBe(200);
  expect(known.status).toBe(unknown.status);
  expect(known.headers).toEqual(unknown.headers);
  expect(shapeOf(known.body)).toEqual(shapeOf(unknown.body));
  expect(Math.min(known.ms, unknown.ms)).toBeGreaterThanOrEqual(2_000);
  expect(mailTo(ADA.email).at(-1)!.subject).toBe("You already have an account");
  expect(mailTo(stranger.email).at(-1)!.subject).toBe("Confirm your e-mail address");
});

test("signing in does not tell either what became of a sign-up", async ({ page, playwright }) => {
  const [known, stranger] = [somebody(), somebody()];
  await signUp(page, known);
  const answers = [];
  for (const { email } of [known, stranger]) {
    const given = { ...stranger, email };
    const here = await playwright.request.newContext({ baseURL: process.env.PARLEY_URL });
    const elsewhere = await playwright.request.newContext({ baseURL: process.env.PARLEY_URL });
    await post(here, "/sign-up/email", given);
    const seen = [];
    // More often than a password may be wrong.
    for (let turn = 0; turn < 7; turn++) seen.push(await post(here, "/sign-in/email", given));
    for (let turn = 0; turn < 6; turn++) seen.push(await post(elsewhere, "/sign-in/email", given));
    expect(seen.map(({ status }) => status)).toEqual(
      [Array<number>(7).fill(403), Array<number>(5).fill(401), 429].flat(),
    );
    answers.push(
      seen.map(({ ms, headers: { "retry-after": wait, ...headers }, ...answer }) => ({
        ...answer,
        headers,
      })),
    );
  }
  expect(answers[0]).toEqual(answers[1]);
});

test("an answer does not wait for a mail server that is slow", async () => {
  const held: Socket[] = [];
  const silent = createServer((socket) => held.push(socket.on("error", () => undefined))).listen(0);
  await once(silent, "listening");
  const { port } = silent.address() as AddressInfo;
  const server = await FrontEnd.start({ SMTP_URL: `smtp://127.0.0.1:${port}` });
  try {
    const { status } = await post(server.request, "/request-password-reset", { email: ADA.email });
    expect(status).toBe(200);
    // Its greeting is still waited for.
    expect(held.map(({ readableEnded, closed }) => readableEnded || closed)).toEqual([false]);
  } finally {
    await server.stop();
    silent.close();
  }
});

test("an address is not confirmed for somebody else's password", async ({ browser, page }) => {
  const owner = somebody();
  const stranger = { ...owner, name: "Stranger", password: "hijacked staircase 1" };
  const elsewhere = await pageOf(browser, someAddress());
  await post(elsewhere.request, "/sign-up/email", stranger);
  await post(page.request, "/sign-up/email", owner);

  await page.goto(await linkTo(owner.email));
  await expect(page.getByText("You opened this link in another browser")).toBeVisible();
  await expectNoViolations(page);
  await fillIn(page, { password: owner.password });
  await page.getByRole("button", { name: "Change the password" }).click();
  await page.getByRole("link", { name: "Sign in" }).click();
  await signIn(page, owner);
  expect((await post(elsewhere.request, "/sign-in/email", stranger)).status).toBe(403);
  expect((await elsewhere.request.get("/api/auth/token")).status()).toBe(401);
});

test("no route leads to another site", async ({ page }) => {
  const evil = ["/.//evil.example", "/x/..//evil.example", "/%2e//evil.example", "//evil.example"];
  for (const target of evil) {
    const callbackURL = encodeURIComponent(target);
    for (const path of ["verify-email?token=x", "reset-password/x?", "callback/github?code=x"]) {
      const answer = await page.request.get(`/api/auth/${path}&callbackURL=${callbackURL}`, {
        maxRedirects: 0,
      });
      expect([path, target, answer.status()]).toEqual([path, target, 403]);
    }
  }
  const paths = ["/sign-in/email", "/sign-up/email", "/request-password-reset", "/change-email"];
  const asked = [...paths, "/sign-in/social", "/link-social"].flatMap((path) =>
    ["callbackURL", "errorCallbackURL", "newUserCallbackURL", "redirectTo"].flatMap((name) => [
      post(page.request, path, { ...somebody(), provider: "github", [name]: evil[0] }),
      post(page.request, `${path}?${name}=${evil[0]}`, { ...somebody(), provider: "github" }),
    ]),
  );
  for (const { status, body } of await Promise.all(asked)) {
    expect([status, body.code]).toEqual([403, "INVALID_CALLBACK_URL"]);
  }
});

test("what cannot be kept is refused", async ({ page }) => {
  const person = somebody();
  await signUp(page, person);
  const refused = async (path: string, data: object) => (await post(page.request, path, data)).body;
  const code = (name: string) => ({ code: name });
  const nul = code("INVALID_TEXT");
  expect(await refused("/sign-up/email", { ...somebody(), name: "a\0b" })).toMatchObject(nul);
  expect(await refused("/update-user", { image: "\0" })).toMatchObject(nul);
  expect(await refused("/update-user", { deep: { er: ["\0"] } })).toMatchObject(nul);
  expect(await refused("/sign-in/email?x=%00", person)).toMatchObject(nul);
  expect(await refused("/reset-password", { token: "\0", newPassword: "x" })).toMatchObject(nul);
  const long = "x".repeat(255);
  expect(await refused("/update-user", { image: long })).toMatchObject(code("TEXT_TOO_LONG"));
  expect(
    await refused("/change-password", {
      currentPassword: person.password,
      newPassword: "😀😁😂😃😄",
    }),
  ).toMatchObject(code("PASSWORD_TOO_SHORT"));

  await post(page.request, "/request-password-reset", { email: person.email });
  const token = new URL(await linkTo(person.email, LINK_TO_RESET)).searchParams.get("token");
  expect(await refused("/reset-password", { token, newPassword: person.email })).toMatchObject(
    code("PASSWORD_TOO_EASY"),
  );
});

test("links to choose a password end with the password that was forgotten", async ({ page }) => {
  const person = somebody();
  await signUp(page, person);
  const ask = () => post(page.request, "/request-password-reset", { email: person.email });
  await Promise.all([ask(), ask(), ask()]);
  await expect.poll(() => mailTo(person.email)).toHaveLength(4);
  const tokens = mailTo(person.email)
    .filter(({ subject }) => subject === LINK_TO_RESET)
    .map(({ text }) => /token=(\S+)/.exec(text)![1]);
  const reset = (token: string | undefined) =>
    post(page.request, "/reset-password", { token, newPassword: "marble corridor 11" });
  expect((await reset(tokens[0])).status).toBe(200);
  expect((await reset(tokens[1])).body.code).toBe("INVALID_TOKEN");

  await signIn(page, { ...person, password: "marble corridor 11" });
  await ask();
  await expect.poll(() => mailTo(person.email)).toHaveLength(5);
  const last = /token=(\S+)/.exec(mailTo(person.email).at(-1)!.text)![1];
  const { status } = await post(page.request, "/change-password", {
    currentPassword: "marble corridor 11",
    newPassword: person.password,
  });
  expect(status).toBe(200);
  expect((await reset(last)).body.code).toBe("INVALID_TOKEN");
});

test("a session found open gives no password away", async ({ page }) => {
  const person = somebody();
  await signUp(page, person);
  const password = (turn: number) => ({ password: `not the right one ${turn}` });
  const change = (currentPassword: string) => ({
    currentPassword,
    newPassword: "marble corridor 12",
  });
  const tries: [string, object][] = [
    ["/two-factor/enable", password(0)],
    ["/two-factor/disable", password(1)],
    ["/change-password", change("not the right one 2")],
    ["/two-factor/generate-backup-codes", password(3)],
    ["/two-factor/get-totp-uri", password(4)],
    ["/change-password", change(person.password)],
    ["/two-factor/enable", { password: person.password }],
  ];
  const codes = [];
  for (const [path, data] of tries) codes.push((await post(page.request, path, data)).body.code);
  expect(codes.slice(5)).toEqual(["TOO_MANY_ATTEMPTS", "TOO_MANY_ATTEMPTS"]);
  expect(codes.slice(0, 5)).not.toContain("TOO_MANY_ATTEMPTS");
  for (let turn = 0; turn < 6; turn++) {
    codes.push(
      (await post(page.request, "/two-factor/verify-totp", { code: `00000${turn}` })).body.code,
    );
  }
  expect(codes.at(-2)).not.toBe("TOO_MANY_ATTEMPTS");
  expect(codes.at(-1)).toBe("TOO_MANY_ATTEMPTS");
});

test("a right password is no failure where a code must follow", async ({ page, playwright }) => {
  const person = somebody();
  await signUp(page, person);
  const { password } = person;
  const enabled = await post(page.request, "/two-factor/enable", { password });
  const secret = new URL(enabled.body.totpURI as string).searchParams.get("secret")!;
  const on = await post(page.request, "/two-factor/verify-totp", { code: codeOf(secret) });
  expect(on.status).toBe(200);
  for (let turn = 0; turn < 7; turn++) {
    const device = await playwright.request.newContext({ baseURL: process.env.PARLEY_URL });
    const { status, body } = await post(device, "/sign-in/email", person);
    expect([status, body.twoFactorRedirect]).toEqual([200, true]);
    await post(device, "/two-factor/verify-totp", { code: "000000" });
  }
});

test("other answers do not tell either whether an address is known", async ({ page }) => {
  const { email } = somebody();
  for (const [path, data] of [
    ["/request-password-reset", {}],
    ["/send-verification-email", {}],
    ["/sign-in/email", { password: "not the right one" }],
  ] as const) {
    const known = await post(page.request, path, { email: ADA.email, ...data });
    const unknown = await post(page.request, path, { email, ...data });
    expect({ ...known, ms: 0 }, path).toEqual({ ...unknown, ms: 0 });
    if (known.status === 200) expect(Math.min(known.ms, unknown.ms)).toBeGreaterThanOrEqual(2_000);
  }
  expect(mailTo(email)).toEqual([]);
});

test("a new password ends all sessions, and its link works once", async ({ browser, page }) => {
  const person = somebody();
  await signUp(page, person);
  const other = await pageOf(browser, "198.51.100.1");
  await signIn(other, person);

  const third = await pageOf(browser, "198.51.100.2");
  await third.goto("/sign-in");
  await third.getByRole("link", { name: "Forgot your password?" }).click();
  await askForLink(third, person);
  const link = await linkTo(person.email, LINK_TO_RESET);
  await third.goto(link);
  for (const [password, reason] of [
    ["qwertyuiop", "This password is easy to guess"],
    ["12345678", ""],
  ] as const) {
    await fillIn(third, { password });
    await third.getByRole("button", { name: "Change the password" }).click();
    if (reason) await expect(alertOf(third)).toContainText(reason);
    else expect(await third.locator("input:invalid").count()).toBe(1);
  }
  const changed = { ...person, password: "marble corridor 7" };
  await fillIn(third, { password: changed.password });
  await third.getByRole("button", { name: "Change the password" }).click();
  await expect(third.getByRole("heading", { name: "Your password is changed" })).toBeFocused();

  for (const signedIn of [page, other]) {
    expect((await signedIn.request.get("/api/auth/token")).status()).toBe(401);
    await signedIn.goto("/chat");
    await expect(signedIn).toHaveURL("/sign-in");
  }
  await wrongPassword(page, person);
  await expect(alertOf(page)).toContainText("Invalid email or password");
  await fillIn(page, { email: person.email, password: person.password });
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(alertOf(page)).toContainText("Invalid email or password");
  await signIn(page, changed);

  await other.goto(link);
  await fillIn(other, { password: "another corridor 8" });
  await other.getByRole("button", { name: "Change the password" }).click();
  await expect(alertOf(other)).toContainText("This link is no longer valid.");
  await expectNoViolations(other);
});

test("a changed password ends the other sessions, whatever the client asks for", async ({
  browser,
  page,
}) => {
  const person = somebody();
  await signUp(page, person);
  const other = await pageOf(browser, "198.51.100.3");
  await signIn(other, person);
  const change = (newPassword: string) =>
    post(page.request, "/change-password", {
      currentPassword: person.password,
      newPassword,
      revokeOtherSessions: false,
    });
  expect((await change("Password123!")).body.code).toBe("PASSWORD_TOO_EASY");
  expect((await change("marble corridor 9")).status).toBe(200);
  expect((await page.request.get("/api/auth/token")).status()).toBe(200);
  expect((await other.request.get("/api/auth/token")).status()).toBe(401);
});

test("who guesses is locked out and told for how long, the owner is not", async ({
  browser,
  page,
}) => {
  const person = somebody();
  await signUp(page, person);
  const stranger = await pageOf(browser, "198.51.100.4");
  await stranger.setViewportSize({ width: 360, height: 740 });
  await stranger.goto("/sign-in");
  for (let guess = 0; guess < 5; guess++) {
    await wrongPassword(stranger, person);
    await expect(alertOf(stranger)).toContainText("Invalid email or password");
  }
  // Even the right password is refused now, from another address as well.
  const elsewhere = await pageOf(browser, "198.51.100.5");
  await elsewhere.goto("/sign-in");
  for (const locked of [stranger, elsewhere]) {
    await fillIn(locked, { email: person.email, password: person.password });
    await locked.getByRole("button", { name: "Sign in" }).click();
    await expect(alertOf(locked)).toContainText("Too many attempts. Try again in 15 minutes.");
  }
  expect(await stranger.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
  await expectNoViolations(stranger);
  await stranger.screenshot({ path: "test-results/screenshots/locked-out-phone-dark.png" });

  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page).toHaveURL("/sign-in");
  await signIn(page, person);

  // A device that the owner has not used yet gets in by way of the mail.
  await elsewhere.getByRole("link", { name: "Choose a new password" }).click();
  await askForLink(elsewhere, person);
  await elsewhere.goto(await linkTo(person.email, LINK_TO_RESET));
  await fillIn(elsewhere, { password: "marble corridor 10" });
  await elsewhere.getByRole("button", { name: "Change the password" }).click();
  await elsewhere.getByRole("link", { name: "Sign in", exact: true }).click();
  await signIn(elsewhere, { ...person, password: "marble corridor 10" });
});

test("guesses made at the same time are counted one by one", async ({ playwright, page }) => {
  const person = somebody();
  await signUp(page, person);
  const request = await playwright.request.newContext({ baseURL: process.env.PARLEY_URL });
  const guess = (turn: number) =>
    post(
      request,
      "/sign-in/email",
      { email: person.email, password: `not the right one ${turn}` },
      { [ADDRESS]: `198.51.100.${100 + turn}` },
    );
  const statuses = (
    await Promise.all(Array.from({ length: 30 }, (_, turn) => guess(turn + 1)))
  ).map(({ status }) => status);
  expect(statuses.filter((status) => status === 401)).toHaveLength(5);
  expect(statuses.filter((status) => status === 429)).toHaveLength(25);
});

test("an address that guesses at many accounts is locked out, whatever it forwards", async ({
  playwright,
}) => {
  const request = await playwright.request.newContext({ baseURL: process.env.PARLEY_URL });
  const guess = (turn: number, address: string) =>
    post(
      request,
      "/sign-in/email",
      { email: `account-${turn}@example.com`, password: "not the right one" },
      { [ADDRESS]: address, "X-Forwarded-For": `203.0.113.${turn}` },
    );
  for (let turn = 0; turn < 20; turn++) {
    // Better Auth's own limit is 10 requests in 10 s.
    if (turn === 10) await new Promise((resolve) => setTimeout(resolve, 11_000));
    expect((await guess(turn, "198.51.100.6")).status).toBe(401);
  }
  await new Promise((resolve) => setTimeout(resolve, 11_000));
  expect((await guess(20, "198.51.100.6")).body.code).toBe("TOO_MANY_ATTEMPTS");
  expect((await guess(50, "198.51.100.7")).status).toBe(401);
});

test("common passwords are refused, and those made of the person's own words", async ({ page }) => {
  const person = somebody();
  await page.goto("/sign-up");
  for (const password of ["Password123!", "1234567890", "somebody example"]) {
    await fillIn(page, { ...person, name: "Somebody Example", password });
    await page.getByRole("button", { name: "Create account" }).click();
    await expect(alertOf(page)).toContainText("This password is easy to guess");
  }
  for (const password of ["password", "12345678"]) {
    const { status, body } = await post(page.request, "/sign-up/email", { ...person, password });
    expect([status, body.code]).toEqual([400, "PASSWORD_TOO_SHORT"]);
  }
  expect(mailTo(person.email)).toEqual([]);
});

test("nobody's inbox is filled", async ({ page }) => {
  const person = somebody();
  await post(page.request, "/sign-up/email", person);
  const ask = () => post(page.request, "/request-password-reset", { email: person.email });
  const statuses = (await Promise.all(Array.from({ length: 9 }, ask))).map(({ status }) => status);
  expect(statuses.filter((status) => status === 429)).toHaveLength(4);
  // Others cannot hold this mail back by asking for another kind.
  expect(mailTo(person.email).map(({ subject }) => subject)).toEqual([
    "Confirm your e-mail address",
    ...Array<string>(5).fill(LINK_TO_RESET),
  ]);
});

test("the account of `make smoke` is made by the migration, and is confirmed", async ({ page }) => {
  const account = { email: "smoke-test@example.com", password: process.env.SMOKE_PASSWORD! };
  expect((await post(page.request, "/sign-in/email", account)).status).toBe(200);
  expect(mailTo(account.email)).toEqual([]);
});

test("a name that would not fit into a token is refused", async ({ page }) => {
  const long = { ...somebody(), name: "A".repeat(255) };
  expect((await post(page.request, "/sign-up/email", long)).body.code).toBe("TEXT_TOO_LONG");
  await signUp(page, somebody());
  const renamed = await post(page.request, "/update-user", { name: long.name });
  expect(renamed.body.code).toBe("TEXT_TOO_LONG");
});

test("behind TLS a cookie is for this host only, and no script reads it", async () => {
  const url = "https://parley.example";
  const server = await FrontEnd.start({ BETTER_AUTH_URL: url, EMAIL_VERIFICATION: "off" });
  try {
    const answer = await server.request.post("/api/auth/sign-up/email", {
      data: somebody(),
      headers: { Origin: url, [ADDRESS]: someAddress() },
    });
    expect(answer.status()).toBe(200);
    const cookies = answer.headersArray().filter(({ name }) => name.toLowerCase() === "set-cookie");
    expect(cookies.length).toBeGreaterThan(0);
    for (const { value } of cookies) {
      expect(value).toMatch(/^__Host-[\w.-]+=/);
      const attributes = value.split("; ").slice(1);
      expect(attributes).toEqual(
        expect.arrayContaining(["Path=/", "HttpOnly", "Secure", "SameSite=Lax"]),
      );
      expect(value).not.toContain("Domain=");
    }
  } finally {
    await server.stop();
  }
});

test("a connection that the network forgot while the server was frozen is not used", async () => {
  const network = await Network.before(process.env.AUTH_DATABASE_URL!);
  const server = await FrontEnd.start({
    AUTH_DATABASE_URL: network.url,
    DATABASE_TRANSPORT: "tcp",
  });
  try {
    const keys = () => server.request.get("/api/auth/jwks", { timeout: 5_000 });
    expect((await keys()).status()).toBe(200);
    server.process.kill("SIGSTOP");
    network.forget();
    // Longer than a connection may be idle, as Lambda freezes an environment.
    await new Promise((resolve) => setTimeout(resolve, 11_000));
    const answer = keys();
    server.process.kill("SIGCONT");
    expect((await answer).status()).toBe(200);
  } finally {
    await server.stop();
    network.close();
  }
});
