import { randomInt } from "node:crypto";
import { readdirSync } from "node:fs";
import type { Page } from "@playwright/test";
import { FrontEnd } from "./front_end";
import { asOwner, logsWith, tablesWith } from "./owner";
import { apiOf, expect, signUp, test, type Person } from "./parley";

/** A word that is in everything that the person leaves behind. */
function somebody(): Person & { canary: string } {
  const canary = `canary${randomInt(1e9)}`;
  return {
    canary,
    name: `Somebody ${canary}`,
    email: `${canary}@example.com`,
    password: `violet staircase ${randomInt(1e9)}`,
  };
}

async function erase(page: Page, data: unknown, headers = {}) {
  const answer = await page.request.post("/api/account/erase", {
    data,
    headers: { Origin: process.env.PARLEY_URL!, ...headers },
  });
  const body = (answer.status() === 204 ? {} : await answer.json()) as { code?: string };
  return { status: answer.status(), code: body.code, headers: answer.headers() };
}

async function session(page: Page): Promise<unknown> {
  return (await page.request.get("/api/auth/get-session")).json();
}

async function settle(page: Page, person: Person & { canary: string }) {
  await signUp(page, person);
  const api = await apiOf(page);
  const path = `${api.userId}/chat`;
  const said = await api.call("POST", path, { message: `My word is ${person.canary}` });
  expect(said.status()).toBe(200);
  return api;
}

test("nothing of an erased account is left in any table or log", async ({ page }) => {
  const person = somebody();
  const { userId, call } = await settle(page, person);
  const { email, password } = person;
  const origin = { Origin: process.env.PARLEY_URL! };
  const reset = { data: { email }, headers: origin };
  await page.request.post("/api/auth/request-password-reset", reset);
  await page.request.post("/api/auth/sign-in/email", {
    data: { email, password: "not the right one" },
    headers: origin,
  });
  const before = await tablesWith(userId);
  expect(before).toEqual(
    expect.arrayContaining(["auth.account", "auth.session", "auth.user", "auth.verification"]),
  );
  expect(before).toEqual(expect.arrayContaining(["public.conversation", "public.message"]));

  expect(await erase(page, { email, password }, { Origin: "https://evil.example" })).toMatchObject({
    status: 403,
    code: "INVALID_ORIGIN",
  });
  for (const [data, code] of [
    [{ email: "else@example.com", password }, "NOT_CONFIRMED"],
    [{ password }, "NOT_CONFIRMED"],
    [{ email }, "INVALID_PASSWORD"],
    [{ email, password: "not the right one" }, "INVALID_PASSWORD"],
  ] as const) {
    expect(await erase(page, data)).toMatchObject({ status: 400, code });
  }
  expect(await tablesWith(userId)).toEqual(before);

  const erased = await erase(page, { email: ` ${email.toUpperCase()} `, password });
  expect(erased.status).toBe(204);
  expect(erased.headers["clear-site-data"]).toBe('"storage"');
  for (const text of [userId, person.canary]) {
    expect(await tablesWith(text)).toEqual([]);
    expect(logsWith(text)).toEqual([]);
  }
  expect(readdirSync(process.env.LOGS!)).toEqual(
    expect.arrayContaining(["api.log", "front-end.log"]),
  );

  expect(await session(page)).toBeNull();
  expect((await page.context().cookies()).map(({ name }) => name)).toEqual([]);
  await page.goto("/chat");
  await expect(page).toHaveURL("/sign-in");
  expect(await erase(page, { email, password })).toMatchObject({ status: 401, code: "SIGNED_OUT" });
  const signIn = await page.request.post("/api/auth/sign-in/email", {
    data: { email, password },
    headers: origin,
  });
  expect(signIn.status()).toBe(401);
  // The token is valid for some minutes, and has nothing to read.
  const listed = (await (await call("GET", `${userId}/conversations`)).json()) as {
    data: unknown[];
  };
  expect(listed.data).toEqual([]);
});

test("either half may fail, and is repeated", async ({ page }) => {
  const person = somebody();
  const { userId } = await settle(page, person);
  const { email, password } = person;

  const cut = await FrontEnd.start({ PARLEY_API_URL: "http://127.0.0.1:1" });
  try {
    const cookies = await page.context().cookies();
    const answer = await cut.request.post("/api/account/erase", {
      data: { email, password },
      headers: {
        Origin: process.env.BETTER_AUTH_URL!,
        Cookie: cookies.map(({ name, value }) => `${name}=${value}`).join("; "),
      },
    });
    expect(answer.status()).toBe(502);
    expect(await answer.json()).toMatchObject({ code: "DATA_NOT_ERASED" });
  } finally {
    await cut.stop();
  }
  expect(await tablesWith(userId)).toEqual(
    expect.arrayContaining(["auth.session", "auth.user", "public.message"]),
  );

  await asOwner((owner) =>
    owner.query(`
      CREATE FUNCTION auth.refuse() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE 'no'; END $$;
      CREATE TRIGGER refuse BEFORE DELETE ON auth."user" EXECUTE FUNCTION auth.refuse()`),
  );
  try {
    const half = await erase(page, { email, password });
    expect(half).toMatchObject({ status: 503, code: "ACCOUNT_NOT_ERASED" });
  } finally {
    await asOwner((owner) => owner.query("DROP FUNCTION auth.refuse CASCADE"));
  }
  expect((await tablesWith(userId)).filter((name) => name.startsWith("public."))).toEqual([]);
  expect(await session(page)).toMatchObject({ user: { id: userId } });

  // Whose address begins as this one does keeps their own.
  const namesake = `${email}m`;
  await asOwner((owner) =>
    owner.query(`INSERT INTO auth.verification (id, identifier, value, "expiresAt", "createdAt", "updatedAt")
      VALUES ('namesake', '${namesake}', '', now(), now(), now())`),
  );
  const all = await Promise.all([1, 2, 3, 4].map(() => erase(page, { email, password })));
  expect(all.map(({ status }) => status)).toContain(204);
  for (const { status } of all) expect([204, 401]).toContain(status);
  expect(await tablesWith(userId)).toEqual([]);
  const kept = await asOwner((owner) =>
    owner.query("DELETE FROM auth.verification WHERE id = 'namesake' RETURNING id"),
  );
  expect(kept.rows).toHaveLength(1);
});

test("passwords cannot be guessed here", async ({ page }) => {
  const person = somebody();
  await signUp(page, person);
  const { email, password } = person;
  const codes: (string | undefined)[] = [];
  for (let turn = 0; turn < 6; turn++) {
    codes.push((await erase(page, { email, password: `not the right one ${turn}` })).code);
  }
  expect(codes).toEqual([...Array<string>(5).fill("INVALID_PASSWORD"), "TOO_MANY_ATTEMPTS"]);
  const locked = await erase(page, { email, password });
  expect(locked.status).toBe(429);
  expect(Number(locked.headers["retry-after"])).toBeGreaterThan(0);
});
