// Prepares the `auth` schema: the front end's database role, Better Auth's tables and the signing key.
import { betterAuth, BetterAuthError } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { resolveSigningKey } from "better-auth/plugins/jwt";
import pg from "pg";
import { authOptions, jwtOptions } from "../src/lib/auth-options.mjs";

/** Makes a second deployment wait: two at the same time would create two signing keys. */
const MIGRATION_LOCK = 7_271_955;

/** A failure with a message for the operator. */
class MigrationError extends Error {}

/** @param {string} name */
function required(name) {
  const value = process.env[name];
  if (!value) throw new MigrationError(`${name} is not set`);
  return value;
}

/** @param {string} name */
function databaseUrl(name) {
  const value = required(name);
  if (!URL.canParse(value)) throw new MigrationError(`${name} is not a postgresql:// address`);
  return new URL(value);
}

/** @param {pg.Pool} pool */
async function connect(pool) {
  try {
    return await pool.connect();
  } catch (error) {
    const { message, code } = /** @type {NodeJS.ErrnoException} */ (error);
    throw new MigrationError(`AUTH_MIGRATIONS_DATABASE_URL: no connection: ${message || code}`);
  }
}

/**
 * @param {pg.PoolClient} owner
 * @param {{ name: string, password: string }} role
 * @param {URL} application
 */
async function prepareRole(owner, role, application) {
  const name = owner.escapeIdentifier(role.name);
  const { rows } = await owner.query(
    "SELECT current_user AS owner, EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AS known",
    [role.name],
  );
  if (rows[0].owner === role.name) {
    throw new MigrationError(
      `AUTH_DATABASE_URL must name another role than the owner ${role.name}`,
    );
  }
  if (!rows[0].known) {
    if (!role.password) {
      throw new MigrationError(`AUTH_DATABASE_URL has no password for the new role ${role.name}`);
    }
    await owner.query(`CREATE ROLE ${name} LOGIN PASSWORD ${owner.escapeLiteral(role.password)}`);
  } else if (await isRefused(application)) {
    await owner.query(`ALTER ROLE ${name} LOGIN PASSWORD ${owner.escapeLiteral(role.password)}`);
  }
  await owner.query("CREATE SCHEMA IF NOT EXISTS auth");
  // Set on the role, because a connection pooler may refuse `options` in the address.
  await owner.query(`ALTER ROLE ${name} SET search_path = auth`);
}

/**
 * Whether the database says that the password is wrong. No other trouble is a reason to set it.
 * @param {URL} application
 */
async function isRefused(application) {
  const client = new pg.Client({ connectionString: application.href });
  try {
    await client.connect();
    return false;
  } catch (error) {
    return /** @type {{ code?: string }} */ (error).code === "28P01";
  } finally {
    await client.end();
  }
}

/**
 * @param {pg.PoolClient} owner
 * @param {string} roleName
 */
async function grantAccess(owner, roleName) {
  const role = owner.escapeIdentifier(roleName);
  await owner.query(`GRANT USAGE ON SCHEMA auth TO ${role}`);
  await owner.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA auth TO ${role}`);
}

/** @param {ReturnType<typeof authOptions>} options */
async function migrateTables(options) {
  const { unsafeChanges, toBeCreated, toBeAdded, runMigrations } = await getMigrations(options, {
    throwOnUnsafe: false,
  });
  if (unsafeChanges.length > 0) {
    throw new MigrationError(
      `Better Auth's tables need a change by hand: ${unsafeChanges.join("; ")}`,
    );
  }
  await runMigrations();
  return [...toBeCreated, ...toBeAdded].map(({ table }) => table);
}

/**
 * Creates the key before the first requests, because the plugin would create one per concurrent request.
 * @param {ReturnType<typeof authOptions>} options
 * @param {{ issuer: string, audience: string }} token
 */
async function ensureSigningKey(options, token) {
  const context = await betterAuth(options).$context;
  try {
    // @ts-expect-error The plugin's type demands a request's context, but it uses only this part.
    await resolveSigningKey({ context }, jwtOptions(token));
  } catch (error) {
    if (!(error instanceof BetterAuthError)) throw error;
    throw new MigrationError(
      "the stored signing key cannot be decrypted with this BETTER_AUTH_SECRET: " +
        "restore the secret it was made with, or empty the table auth.jwks to make a new key",
      { cause: error },
    );
  }
}

/**
 * The account of `make smoke`, which cannot follow a link in a mail.
 * @param {ReturnType<typeof authOptions>} options
 * @param {string} chosen
 */
async function ensureSmokeAccount(options, chosen) {
  const { internalAdapter, password } = await betterAuth(options).$context;
  const email = "smoke-test@example.com";
  const hash = await password.hash(chosen);
  const known = await internalAdapter.findUserByEmail(email);
  if (known) return internalAdapter.updatePassword(known.user.id, hash);
  const { id } = await internalAdapter.createUser(
    { email, name: "Smoke test", emailVerified: true },
    { method: "email-password" },
  );
  const account = { userId: id, accountId: id, providerId: "credential", password: hash };
  await internalAdapter.linkAccount(account);
}

async function migrate() {
  const url = required("BETTER_AUTH_URL").replace(/\/+$/, "");
  const audience = process.env.JWT_AUDIENCE || "parley";
  const secret = required("BETTER_AUTH_SECRET");
  const application = databaseUrl("AUTH_DATABASE_URL");
  const role = {
    name: decodeURIComponent(application.username),
    password: decodeURIComponent(application.password),
  };
  if (!role.name) throw new MigrationError("AUTH_DATABASE_URL names no user");

  const pool = new pg.Pool({
    connectionString: databaseUrl("AUTH_MIGRATIONS_DATABASE_URL").href,
    options: "-c search_path=auth",
  });
  try {
    const owner = await connect(pool);
    try {
      await owner.query("SELECT pg_advisory_lock($1)", [MIGRATION_LOCK]);
      await prepareRole(owner, role, application);
      const options = authOptions({ url, secret, audience, database: pool });
      const changed = await migrateTables(options);
      await grantAccess(owner, role.name);
      await ensureSigningKey(options, { issuer: url, audience });
      const smokePassword = process.env.SMOKE_PASSWORD;
      if (smokePassword) await ensureSmokeAccount(options, smokePassword);
      return changed;
    } finally {
      // Closes the connection instead of returning it to the pool, which releases the lock.
      owner.release(true);
    }
  } finally {
    await pool.end();
  }
}

try {
  const changed = await migrate();
  console.log(`auth: ${changed.length ? `migrated ${changed.join(", ")}` : "up to date"}`);
} catch (error) {
  console.error(`auth: migration failed: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
