"""`parley.migrate`: up and down on a filled database, the role it makes, and what it refuses."""

import os
import random
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine
from sqlmodel import SQLModel

from local.postgres import Postgres
from parley import migrate
from parley.config import ConfigError
from parley.database import Database
from parley.models.turn import Send
from parley.postgres import Address
from parley.repositories.turns import Begun, Limits, NewTurn, Refused, begin_turn

PACKAGE = Path(migrate.__file__).parents[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with Postgres.start(tmp_path_factory.mktemp("migrations"), durable=False) as server:
        yield server


@pytest.fixture
def owner(server: Postgres) -> Iterator[Engine]:
    """An empty database, as its owner."""
    engine = create_engine("postgresql+pg8000://", creator=Address(server.owner_url).connect)
    with engine.begin() as connection:
        connection.exec_driver_sql("drop schema public cascade")
        connection.exec_driver_sql("create schema public")
    yield engine
    engine.dispose()


def tables(owner: Engine) -> set[str]:
    with owner.connect() as connection:
        rows = connection.execute(text("select tablename from pg_tables where schemaname = 'public'"))
        return {row[0] for row in rows}


LIMITS = Limits(100, None, None)


def turn(user_id: str, act: Send, key: str | None = None) -> NewTurn:
    return NewTurn(user_id, act, key, "h", model="m", title="t", tokens=3)


def fill(database: Database) -> str:
    user_id = f"user-{uuid.uuid4().hex[:8]}"
    assert isinstance(begin_turn(database, turn(user_id, Send(None, "hello"), "k"), LIMITS), Begun)
    return user_id


@pytest.mark.usefixtures("owner")
def test_up_down_and_up_again_on_a_filled_database(server: Postgres, owner: Engine) -> None:
    migrate.upgrade(server.owner_url, server.app_url)
    assert {"conversation", "message", "usage"} < tables(owner)
    database = Database(server.app_url, pool_size=1)
    user_id = fill(database)
    migrate.upgrade(server.owner_url, server.app_url)
    assert database.rows(user_id, text("select count(*) from message"))[0][0] == 2
    migrate.downgrade(server.owner_url, "base")
    assert tables(owner) == {"alembic_version"}
    migrate.upgrade(server.owner_url, server.app_url)
    fill(database)
    database.close()


def test_a_deployment_that_is_rolled_back_leaves_the_newer_schema(server: Postgres, owner: Engine) -> None:
    migrate.upgrade(server.owner_url, server.app_url)
    with owner.begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
        connection.execute(text("alter table conversation add column from_the_future int"))
    migrate.upgrade(server.owner_url, server.app_url)
    with owner.connect() as connection:
        assert connection.execute(text("select version_num from alembic_version")).scalar_one() == "9999"
        connection.execute(text("select from_the_future from conversation"))
    database = Database(server.app_url, pool_size=1)
    fill(database)
    database.close()


def is_compared(_: Any, __: str | None, kind: str, reflected: bool, compared_to: Any) -> bool:
    """Everything but indexes and constraints that only the migrations know."""
    return compared_to is not None or not reflected or kind not in ("index", "unique_constraint")


def test_the_models_have_the_columns_that_the_migrations_made(server: Postgres, owner: Engine) -> None:
    migrate.upgrade(server.owner_url, server.app_url)
    with owner.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": is_compared})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_every_table_is_walled_off_from_the_role(server: Postgres, owner: Engine) -> None:
    migrate.upgrade(server.owner_url, server.app_url)
    with owner.connect() as connection:
        walls: dict[str, Any] = dict(
            connection.execute(
                text("""
                    select relname, relrowsecurity and relforcerowsecurity from pg_class
                    where relkind = 'r' and relnamespace = 'public'::regnamespace
                      and relname <> 'alembic_version'
                """)
            ).all()
        )
        owned = connection.execute(
            text("select count(*) from pg_class where relowner = 'parley_app'::regrole")
        ).scalar_one()
        role = connection.execute(
            text("""
                select rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication
                from pg_roles where rolname = 'parley_app'
            """)
        ).scalar_one()
    assert walls == dict.fromkeys(SQLModel.metadata.tables, True)
    assert (owned, role) == (0, False)
    database = Database(server.app_url, pool_size=1)
    for statement in (
        "alter table message disable row level security",
        "truncate message",
        "select 1 from alembic_version",
        "create table mine (id int)",
        "set role parley_owner",
        "create temp table mine (id int)",
        "select lo_creat(-1)",
        "select lo_create(0)",
        "select lo_from_bytea(0, 'x')",
        "select lo_import('/etc/hostname')",
    ):
        with pytest.raises(Exception, match=r"42501|permission denied|must be owner"):
            database.rows("alice", text(statement))
    database.close()


def as_role(server: Postgres, name: str) -> str:
    return f"postgresql://{name}:secret@{server.owner_url.partition('@')[2]}"


@pytest.mark.parametrize(
    "attribute", ["superuser", "bypassrls", "in role parley_owner", "in role half_an_owner", "in role seer"]
)
def test_a_role_that_may_see_everything_is_refused(server: Postgres, owner: Engine, attribute: str) -> None:
    name = f"role_{uuid.uuid4().hex}"
    with owner.begin() as connection:
        for role in ("half_an_owner in role parley_owner", "seer bypassrls"):
            connection.exec_driver_sql(f"drop role if exists {role.split()[0]}")
            connection.exec_driver_sql(f"create role {role}")
        connection.exec_driver_sql(f"create role {name} login password 'secret' {attribute}")
    with pytest.raises(ConfigError, match=f"^DATABASE_URL: the role {name} .* Name a role of its own"):
        migrate.upgrade(server.owner_url, as_role(server, name))
    assert tables(owner) == set()


def test_migrations_role_is_never_the_apps(server: Postgres, owner: Engine) -> None:
    with pytest.raises(ConfigError, match="is that of MIGRATIONS_DATABASE_URL"):
        migrate.upgrade(server.owner_url, server.owner_url)
    assert tables(owner) == set()


@pytest.fixture
def plain_owner(server: Postgres, owner: Engine) -> Iterator[str]:
    """The address, as an owner without a superuser's powers, of a database of its own."""
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("create role plain_owner login createrole password 'secret'")
        connection.exec_driver_sql("create database plain owner plain_owner")
        yield as_role(server, "plain_owner").rpartition("/")[0] + "/plain"
        connection.exec_driver_sql("drop database plain with (force)")
        connection.exec_driver_sql("drop owned by plain_owner")
        for role in ("plain_app", "plain_owner"):
            connection.exec_driver_sql(f"drop role {role}")


def test_an_owner_without_a_superusers_powers_is_walled_off_too(plain_owner: str) -> None:
    app_url = plain_owner.replace("plain_owner:", "plain_app:")
    for _ in range(2):
        migrate.upgrade(plain_owner, app_url)
    app, by_mistake = Database(app_url, pool_size=1), Database(plain_owner, pool_size=1)
    alice, bob = fill(app), fill(app)
    [[conversation_id]] = app.rows(alice, text("select id from conversation"))
    for database in (app, by_mistake):
        assert database.rows(alice, text("select count(*) from message"))[0][0] == 2
        assert database.rows(None, text("select count(*) from message"))[0][0] == 0
    # It looks past the wall for ids, as the owner: 403 in place of 404.
    assert begin_turn(app, turn(bob, Send(conversation_id, "hello")), LIMITS) == Refused("forbidden")
    app.close()
    by_mistake.close()
    migrate.downgrade(plain_owner, "0008")
    migrate.upgrade(plain_owner, app_url)


def test_no_message_gets_into_another_users_conversation(server: Postgres, owner: Engine) -> None:
    del owner
    migrate.upgrade(server.owner_url, server.app_url)
    database = Database(server.app_url, pool_size=1)
    alice, mallory = fill(database), fill(database)
    [[theirs]] = database.rows(alice, text("select id from conversation"))
    for statement in (
        "update message set conversation_id = :theirs where user_id = :me",
        "update conversation set user_id = 'alice' where user_id = :me and id <> :theirs",
        "insert into message (id, conversation_id, user_id, seq, role, status, tokens, version_of) "
        "values (gen_random_uuid(), :theirs, :me, 99, 'user', 'completed', 1, gen_random_uuid())",
    ):
        with pytest.raises(Exception, match="42501"):
            database.rows(mallory, text(statement), {"theirs": theirs, "me": mallory})
    database.close()


@pytest.mark.usefixtures("owner")
def test_any_name_and_password_of_the_role_will_do(server: Postgres) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    address = server.app_url.partition("@")[2]
    for number in range(20):
        password = "".join(draw.choices("%'\"\\$:é aB", k=8))
        role = quote(f"role {number}{password}", safe="")
        url = f"postgresql://{role}:{quote(password, safe='')}@{address}"
        migrate.upgrade(server.owner_url, url)
        database = Database(url, pool_size=1)
        assert database.rows(None, text("select current_user"))[0][0] == unquote(role)
        database.close()


def test_two_at_once_do_not_hinder_each_other(server: Postgres, owner: Engine) -> None:
    with ThreadPoolExecutor() as threads:
        both = [threads.submit(migrate.upgrade, server.owner_url, server.app_url) for _ in range(2)]
        for each in both:
            each.result()
    assert "message" in tables(owner)


def run(**environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYENV_ROOT") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "parley.migrate"],
        env=kept | {"PYTHONPATH": str(PACKAGE)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.usefixtures("owner")
def test_the_command_migrates_and_says_nothing(server: Postgres) -> None:
    done = run(DATABASE_URL=server.app_url, MIGRATIONS_DATABASE_URL=server.owner_url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_command_explains_what_is_wrong_in_a_line(server: Postgres) -> None:
    missing = run(DATABASE_URL=server.app_url)
    assert (missing.returncode, missing.stderr) == (1, "MIGRATIONS_DATABASE_URL: is not set\n")
    wrong = run(
        DATABASE_URL=server.app_url, MIGRATIONS_DATABASE_URL=server.app_url.replace("_app", "_nobody")
    )
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("MIGRATIONS_DATABASE_URL: ")
    assert wrong.stderr.count("\n") == 1
