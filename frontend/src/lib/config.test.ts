import { config, socialProviders } from "./config";

const before = process.env;

function settings(values: Record<string, string>) {
  process.env = { ...before, BETTER_AUTH_URL: "http://localhost:3000", ...values };
}

afterEach(() => (process.env = before));

const NEON = "postgresql://parley_auth:secret@ep-x-pooler.eu-central-1.aws.neon.tech/parley";
const OTHER = "postgresql://parley_auth:secret@db.neon.tech.example.com/parley";

test.each([
  [{ AUTH_DATABASE_URL: NEON }, "http"],
  [{ AUTH_DATABASE_URL: OTHER }, "tcp"],
  [{ AUTH_DATABASE_URL: NEON, DATABASE_TRANSPORT: "tcp" }, "tcp"],
  [{ AUTH_DATABASE_URL: OTHER, DATABASE_TRANSPORT: "http" }, "http"],
])("with %j the database is reached over %s", (values, transport) => {
  settings(values);
  expect(config.databaseTransport).toBe(transport);
});

test("a wrong setting is named, and its value is not told", () => {
  settings({ AUTH_DATABASE_URL: "secret", DATABASE_TRANSPORT: "quic" });
  expect(() => config.databaseTransport).toThrow("DATABASE_TRANSPORT is none of auto, http, tcp");
  expect(() => config.authDatabaseUrl).toThrow(
    /^AUTH_DATABASE_URL is not a postgresql:\/\/ address$/,
  );
  settings({ DATABASE_HTTP_URL: "http://neon.example.com/sql" });
  expect(() => config.databaseHttpUrl).toThrow("DATABASE_HTTP_URL must begin with https://");
  settings({ SMTP_URL: "user:secret@mail" });
  expect(() => config.mail).toThrow(/^SMTP_URL is not an smtp:\/\/ or smtps:\/\/ address$/);
});

test("addresses are confirmed in a deployment, which needs mail for it, and not on a laptop", () => {
  settings({});
  expect(config.verifiesEmail).toBe(false);
  const deployed = { BETTER_AUTH_URL: "https://chat.example.com" };
  settings(deployed);
  expect(() => config.verifiesEmail).toThrow("SMTP_URL is not set");
  settings({ ...deployed, EMAIL_VERIFICATION: "off" });
  expect(config.verifiesEmail).toBe(false);
  settings({ ...deployed, SMTP_URL: "smtps://user:secret@mail.example.com" });
  expect(config.verifiesEmail).toBe(true);
  expect(config.isMailLocal).toBe(false);
  expect(config.mail!.from).toBe("Parley <no-reply@chat.example.com>");
});

test("accounts of other providers are on offer where they are configured, without their secrets", () => {
  settings({});
  expect(socialProviders()).toEqual([]);
  settings({ GITHUB_CLIENT_ID: "id", GITHUB_CLIENT_SECRET: "secret" });
  expect(socialProviders()).toEqual([{ id: "github", name: "GitHub" }]);
  settings({ GOOGLE_CLIENT_ID: "id" });
  expect(() => config.socialProviders).toThrow("GOOGLE_CLIENT_SECRET is not set");
});
