"""One round trip per statement, nobody's rows but one's own, and connections that die."""

import asyncio
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit, urlunsplit

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from local.ports import free_port
from local.postgres import Postgres
from parley.config import ConfigError
from parley.database import Database
from parley.errors import DatabaseUnavailable
from parley.ids import new_id
from parley.postgres import Address
from tests import crossing
from tests.pgbouncer import pgbouncer
from tests.proxy import Proxy, Traffic

WHOAMI = text("select current_setting('app.user_id', true), cast(:value as int)")


def at_port(url: str, port: int) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}"))


@pytest.fixture
def proxy(postgres: Postgres) -> Iterator[tuple[Proxy, Database]]:
    proxy = Proxy(("127.0.0.1", postgres.port))
    with proxy.listen() as port:
        database = Database(at_port(postgres.app_url, port), pool_size=1)
        yield proxy, database
        database.close()


def test_a_statement_is_one_round_trip_with_its_user(proxy: tuple[Proxy, Database]) -> None:
    counter, database = proxy
    assert database.rows("alice", WHOAMI, {"value": 1}) == [("alice", 1)]
    counter.traffic = Traffic()
    for number in range(10):
        assert database.rows("alice", WHOAMI, {"value": number}) == [("alice", number)]
    assert (counter.traffic.round_trips, counter.traffic.connections) == (10, 0)


def test_a_new_connection_is_three_round_trips_and_asks_the_server_nothing(
    proxy: tuple[Proxy, Database],
) -> None:
    counter, database = proxy
    database.rows("alice", WHOAMI, {"value": 1})
    # Start-up, SCRAM's two, and the statement itself.
    assert (counter.traffic.round_trips, counter.traffic.connections) == (4, 1)


def test_a_user_does_not_linger_on_the_connection(database: Database) -> None:
    assert database.rows("alice", WHOAMI, {"value": 1})[0][0] == "alice"
    assert database.rows("bob", WHOAMI, {"value": 1})[0][0] == "bob"
    assert database.rows(None, WHOAMI, {"value": 1})[0][0] in (None, "")


@pytest.fixture
def rows_of_alice(database: Database) -> str:
    user_id = f"alice-{uuid.uuid4().hex[:8]}"
    database.rows(
        user_id,
        text("insert into conversation (id, user_id, title) values (:id, :user, 'mine') returning id"),
        {"id": new_id(), "user": user_id},
    )
    return user_id


@pytest.mark.parametrize("reader", [None, "", "bob", "alice-%", "alice"])
def test_a_statement_that_forgets_its_user_sees_nothing(
    database: Database, rows_of_alice: str, reader: str | None
) -> None:
    everything = text("select user_id from conversation")
    assert database.rows(reader, everything) == []
    assert database.rows(rows_of_alice, everything) == [(rows_of_alice,)]


@pytest.mark.parametrize(
    "statement",
    [
        "update conversation set title = 'stolen' returning id",
        "delete from conversation returning id",
        "select title from conversation where user_id = :owner",
    ],
)
def test_another_users_rows_cannot_be_touched(database: Database, rows_of_alice: str, statement: str) -> None:
    params = {"owner": rows_of_alice} if ":owner" in statement else {}
    assert database.rows("bob", text(statement), params) == []
    assert database.rows(rows_of_alice, text("select title from conversation")) == [("mine",)]


def test_a_row_cannot_be_given_to_another_user(database: Database, rows_of_alice: str) -> None:
    with pytest.raises(Exception, match="row-level security"):
        database.rows(rows_of_alice, text("update conversation set user_id = 'bob' returning id"))
    with pytest.raises(Exception, match="row-level security"):
        database.rows(
            rows_of_alice,
            text("insert into conversation (id, user_id, title) values (:id, 'bob', '') returning id"),
            {"id": new_id()},
        )


def test_an_error_leaves_the_connection_usable(database: Database, rows_of_alice: str) -> None:
    for _ in range(10):
        with pytest.raises(DBAPIError, match="23505"):
            database.rows(
                rows_of_alice,
                text(
                    "insert into conversation (id, user_id, title) select id, user_id, '' from conversation"
                ),
            )
        assert database.rows(rows_of_alice, WHOAMI, {"value": 7}) == [(rows_of_alice, 7)]


def test_a_connection_that_the_server_closed_is_replaced_silently(
    proxy: tuple[Proxy, Database], postgres: Postgres
) -> None:
    counter, database = proxy
    database.rows("alice", WHOAMI, {"value": 1})
    counter.cut()
    assert database.rows("alice", WHOAMI, {"value": 2}) == [("alice", 2)]
    assert counter.traffic.connections == 2


def test_a_restarted_server_costs_no_statement(tmp_path: Path) -> None:
    with Postgres.start(tmp_path / "pg", durable=False) as server:
        database = Database(server.owner_url, pool_size=3)
        database.rows("alice", WHOAMI, {"value": 1})
        server.restart()
        assert database.rows("alice", WHOAMI, {"value": 2}) == [("alice", 2)]
        database.close()


def test_a_database_that_is_down_is_said_to_be_unavailable(postgres: Postgres) -> None:
    database = Database(at_port(postgres.app_url, free_port()), pool_size=1)
    with pytest.raises(DatabaseUnavailable):
        database.rows("alice", WHOAMI, {"value": 1})


def test_a_pool_that_is_used_up_is_said_to_be_unavailable(postgres: Postgres) -> None:
    database = Database(postgres.app_url, pool_size=1)
    with ThreadPoolExecutor() as threads:
        slow = threads.submit(database.rows, "alice", text("select 1 from pg_sleep(5)"))
        time.sleep(0.2)
        with pytest.raises(DatabaseUnavailable):
            database.rows("alice", WHOAMI, {"value": 1})
        slow.result()
    database.close()


def test_close_waits_for_the_statements_that_run(postgres: Postgres) -> None:
    """Their connections would be closed by nobody."""
    database = Database(postgres.app_url, pool_size=1)
    begun, ended = Event(), Event()

    def slow(database: Database) -> None:
        begun.set()
        database.rows(None, text("select 1 from pg_sleep(0.3)"))
        ended.set()

    async def close_amid() -> None:
        running = asyncio.create_task(database.call(slow))
        await asyncio.to_thread(begun.wait)
        # As when its client has gone away.
        running.cancel()
        database.close()
        assert ended.is_set()

    asyncio.run(close_amid())
    assert database._engine.pool.checkedin() == 0


@pytest.mark.parametrize("query", ["?sslmode=require", "?sslmode=require&channel_binding=require"])
def test_plaintext_is_refused_where_tls_is_asked_for(postgres: Postgres, query: str) -> None:
    """The embedded server has no TLS, as an attacker in the middle would pretend."""
    database = Database(postgres.app_url + query, pool_size=1)
    with pytest.raises(DatabaseUnavailable):
        database.rows("alice", WHOAMI, {"value": 1})


def test_another_host_than_loopback_means_tls() -> None:
    assert Address("postgresql://u:p@ep-x-pooler.neon.example/db")._tls is not None
    assert Address("postgresql://u:p@ep-x.neon.example/db?sslmode=disable")._tls is None
    assert Address("postgresql://u:p@127.0.0.1/db")._tls is None


@pytest.mark.parametrize("url", ["", "mysql://u:p@h/d", "postgresql://h/d", "postgresql:///d", "nonsense"])
def test_a_url_that_names_no_database_is_explained(url: str) -> None:
    with pytest.raises(ConfigError, match="postgresql://user:password@host/database"):
        Address(url)


def test_no_statement_crosses_in_a_pooler(postgres: Postgres, tmp_path: Path) -> None:
    """Seen to fail with pg8000 as it comes: `python -m tests.crossing --stock`."""
    with pgbouncer(tmp_path, postgres.app_url, servers=2) as url:
        assert crossing.count_wrong(crossing.ours(url), 50_000) == 0
