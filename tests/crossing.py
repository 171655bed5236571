"""Do statements of different clients cross in a pooler? A demonstration, and the heart of a test.

With layers/parley/python on PYTHONPATH:

python -m tests.crossing            ours: none does
python -m tests.crossing --http     ours, through a stand-in for Neon: none does
python -m tests.crossing --stock    stock pg8000: nearly all come back wrong, with another client's SQL run
"""

import argparse
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from local.postgres import Postgres
from parley import migrate
from parley.database import Database
from parley.postgres import Address
from tests import neon
from tests.pgbouncer import pgbouncer

CLIENTS, SERVERS = 12, 2

# Runs `select …, :value, <number>` and returns its rows; and what closes the connection.
Select = Callable[[str, dict[str, int]], Sequence[Any]]
Client = tuple[Select, Callable[[], None]]


def count_wrong(make_client: Callable[[int], Client], statements: int) -> int:
    """How many of the statements, sent by all clients at once, came back with anything but their own row.

    Each client's SQL differs, so running another's shows even where the parameters are one's own.
    """
    wrong = [0] * CLIENTS

    def work(number: int) -> None:
        select, close = make_client(number)
        for turn in range(statements // CLIENTS + 1):
            value = number * 1_000_000 + turn
            try:
                rows = select(f"select cast(:value as int), {number}", {"value": value})
            except DBAPIError:
                rows = []
            wrong[number] += [tuple(row) for row in rows] != [(value, number)]
        close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(wrong)


def ours(url: str, http_url: str | None = None) -> Callable[[int], Client]:
    """Clients of Parley; each statement is its user's as well, or it counts as wrong."""

    def make_client(number: int) -> Client:
        database = Database(url, pool_size=1, transport="http" if http_url else "tcp", http_url=http_url)

        def select(sql: str, params: dict[str, int]) -> Sequence[Any]:
            user = f"user-{number}"
            rows = database.rows(user, text(f"{sql}, current_setting('app.user_id', true)"), params)
            return [row[:2] for row in rows if row[2] == user]

        return select, database.close

    return make_client


def stock(url: str) -> Callable[[int], Client]:
    """Clients as SQLAlchemy and pg8000 come."""

    def make_client(_: int) -> Client:
        address = Address(url)
        engine = create_engine(
            "postgresql+pg8000://", creator=address.connect, isolation_level="AUTOCOMMIT", pool_size=1
        )

        def select(sql: str, params: dict[str, int]) -> Sequence[Any]:
            with engine.connect() as connection:
                return connection.execute(text(sql), params).all()

        return select, engine.dispose

    return make_client


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.crossing", description=__doc__)
    parser.add_argument("--stock", action="store_true", help="with pg8000 as it comes")
    parser.add_argument("--http", action="store_true", help="ours, through a stand-in for Neon")
    parser.add_argument("--statements", type=int, default=6_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Postgres.start(folder / "postgres", durable=False) as server:
            migrate.upgrade(server.owner_url, server.app_url)
            if options.http:
                with neon.serve_apart(folder / "neon", server.app_url, servers=SERVERS) as port:
                    clients = ours(server.app_url, f"http://127.0.0.1:{port}/sql")
                    wrong = count_wrong(clients, options.statements)
            else:
                with pgbouncer(folder / "pooler", server.app_url, servers=SERVERS) as url:
                    wrong = count_wrong(stock(url) if options.stock else ours(url), options.statements)
    print(f"{wrong} of {options.statements} statements came back wrong")


if __name__ == "__main__":
    main()
