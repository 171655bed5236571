"""`python -m parley.migrate`: bring the database to this version's schema, and make the app's role.

Connects with MIGRATIONS_DATABASE_URL (the owner, over TCP, direct: not through a pooler). DATABASE_URL names
the application role, which is made when it is missing, and given the password when the database refuses it.
Safe to run again, and twice at once.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from pg8000.native import identifier, literal
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from parley.config import ConfigError, MigrationSettings, make_current
from parley.database import sqlstate
from parley.postgres import Address, CannotConnect

PACKAGE = Path(__file__).parent
# SQL functions are replaced after the migrations, so the database always has this version's.
FUNCTIONS = PACKAGE / "repositories" / "sql"
LOCK = 7_286_133_410  # any number, the same in every version

# On the role, because a pooler refuses them as start-up parameters.
ROLE_SETTINGS = {
    "statement_timeout": "10s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "15s",
}


def migrate(downgrade_to: str | None = None, secret_version: str = "") -> None:
    """Migrate the database that the environment names. Raises ConfigError, which says what to do.

    With `secret_version`, take the settings from that version of the deployed secret and, once the database
    knows its password, make it the current one. Before that, running functions go on with the last.
    """
    settings = MigrationSettings.load(secret_version)
    owner_url = settings.migrations_database_url.get_secret_value()
    try:
        if downgrade_to:
            downgrade(owner_url, downgrade_to)
        else:
            upgrade(owner_url, settings.database_url.get_secret_value())
    except DBAPIError as error:
        state = sqlstate(error.orig) or "the server cannot be reached"
        raise ConfigError(f"MIGRATIONS_DATABASE_URL: the migration failed ({state}): {error.orig}") from error
    if secret_version:
        make_current(secret_version)


def upgrade(owner_url: str, app_url: str) -> None:
    """Run the migrations and give the role of `app_url` what it needs, nothing more."""
    app = Address(app_url)
    with _transaction(owner_url) as connection:
        _make_role(connection, app)
        _upgrade_schema(connection)
        for file in sorted(FUNCTIONS.glob("*.sql")):
            connection.exec_driver_sql(file.read_text())
        _grant(connection, app)


def downgrade(owner_url: str, revision: str) -> None:
    """Run the migrations down to `revision` (`base`: down to nothing)."""
    with _transaction(owner_url) as connection:
        command.downgrade(_alembic(connection), revision)


@contextmanager
def _transaction(owner_url: str) -> Iterator[Connection]:
    address = Address(owner_url)
    engine = create_engine("postgresql+pg8000://", creator=address.connect, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        # Row-level security applies to the owner too, unless the owner says this.
        connection.execute(text("select set_config('app.migrating', 'on', true)"))
        yield connection


def _alembic(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(PACKAGE / "models" / "migrations"))
    config.attributes["connection"] = connection
    return config


def _upgrade_schema(connection: Connection) -> None:
    config = _alembic(connection)
    current = MigrationContext.configure(connection).get_current_revision()
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    # After a rollback the schema is newer than this code, which runs on it too.
    if current is None or current in known:
        command.upgrade(config, "head")


# A role may also become each role that it is a member of.
_MAY_TOO_MUCH = text("""
    select exists (
        select from pg_roles as other
        where pg_has_role(role.oid, other.oid, 'member')
          and (other.rolsuper or other.rolbypassrls or other.rolname = current_user
               or other.oid in (select relowner from pg_class where relnamespace = 'public'::regnamespace)))
    from pg_roles as role where role.rolname = :name
""")


def _make_role(connection: Connection, app: Address) -> None:
    name = identifier(app.user)
    found = connection.execute(_MAY_TOO_MUCH, {"name": app.user}).scalar_one_or_none()
    password = literal(app.password)
    if found is None:
        connection.exec_driver_sql(f"create role {name} login password {password}")
    elif found:
        raise ConfigError(
            f"DATABASE_URL: the role {app.user} is that of MIGRATIONS_DATABASE_URL, may act as it, or "
            "bypasses row-level security. Name a role of its own; one that does not exist yet is made."
        )
    elif _is_refused(app):
        # Not each time: a pooler may keep the password's stored form, which differs every time it is set.
        connection.exec_driver_sql(f"alter role {name} login password {password}")
    for setting, value in ROLE_SETTINGS.items():
        connection.exec_driver_sql(f"alter role {name} set {setting} = {literal(value)}")


def _is_refused(app: Address) -> bool:
    """Whether the database says that the password is wrong. No other trouble is a reason to set it."""
    try:
        app.connect().close()
    except CannotConnect as error:
        return sqlstate(error.__cause__) == "28P01"
    return False


# Large objects fill a disk without a row in a table.
_MAKE_LARGE_OBJECTS = "lo_creat(int), lo_create(oid), lo_from_bytea(oid, bytea)"


def _grant(connection: Connection, app: Address) -> None:
    """Give the role what it needs, and take away what every role may do by default.

    PostgreSQL only warns about what is not the owner's to take, such as functions of PostgreSQL itself.
    """
    database = identifier(connection.execute(text("select current_database()")).scalar_one())
    for privilege in (
        "execute on all functions in schema public",
        f"execute on function {_MAKE_LARGE_OBJECTS}",
        f"temporary on database {database}",
    ):
        connection.exec_driver_sql(f"revoke {privilege} from public")
    for privilege in (
        "usage on schema public",
        "select, insert, update, delete on conversation, message, usage, deleted_turn, user_settings",
        "select, insert, update, delete on shared_conversation, shared_message",
        "select, insert, update, delete on erased_usage, follow_up",
        "execute on all functions in schema public",
    ):
        connection.exec_driver_sql(f"grant {privilege} to {identifier(app.user)}")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m parley.migrate",
        description="Migrate the database of MIGRATIONS_DATABASE_URL and make the role of DATABASE_URL.",
    )
    parser.add_argument("--downgrade", metavar="REVISION", help="go down to this revision (base: to nothing)")
    arguments = parser.parse_args()
    try:
        migrate(arguments.downgrade)
    except ConfigError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
