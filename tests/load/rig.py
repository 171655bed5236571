"""What every design runs on: PostgreSQL behind a counting proxy, the offline model and a token issuer."""

import contextlib
import json
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from local.issuer import serve_issuer
from local.parent_watch import ChildProcess
from local.ports import free_port
from local.postgres import Postgres
from parley import migrate
from tests.load.statements import CountingProxy

USER = "bench"


@dataclass
class Model:
    """The offline model, in its own process so that its CPU time is not counted as a design's."""

    url: str

    def log(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.url}/log") as reply:
            return list(json.load(reply)["requests"])

    def forget(self) -> None:
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/log", method="DELETE")).close()


@dataclass
class Rig:
    postgres: Postgres
    proxy: CountingProxy
    proxy_port: int
    model: Model
    issuer_url: str
    token: str

    def direct_url(self, database: str) -> str:
        return urlsplit(self.postgres.owner_url)._replace(path=f"/{database}").geturl()

    def proxied(self, url: str) -> str:
        return url.replace(f":{self.postgres.port}/", f":{self.proxy_port}/")

    def make_database(self, name: str) -> None:
        with psycopg.connect(self.postgres.owner_url, autocommit=True) as connection:
            connection.execute(f"create database {name}")

    def busy_connections(self, database: str) -> int:
        """How many server connections are in use, so that a pooler could not hand them to another client."""
        with psycopg.connect(self.postgres.owner_url) as connection:
            row = connection.execute(
                "select count(*) from pg_stat_activity where datname = %s and state <> 'idle' "
                "and backend_type = 'client backend' and pid <> pg_backend_pid()",
                [database],
            ).fetchone()
        return int(row[0]) if row else 0


@contextlib.contextmanager
def start_rig(folder: Path) -> Iterator[Rig]:
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(Postgres.start(folder / "postgres", durable=False))
        migrate.upgrade(postgres.owner_url, postgres.app_url)
        proxy = CountingProxy(("127.0.0.1", postgres.port))
        port = stack.enter_context(proxy.listen())
        model = stack.enter_context(_offline_model(folder))
        issuer = stack.enter_context(serve_issuer(folder / "issuer.pem"))
        yield Rig(postgres, proxy, port, model, issuer.url, issuer.mint(USER, ttl=3_600))


@contextlib.contextmanager
def _offline_model(folder: Path) -> Iterator[Model]:
    port = free_port()
    command = [sys.executable, "-m", "local.offline_model", "--port", str(port), "--word-delay-ms", "0"]
    process = ChildProcess.start(command, log=folder / "offline_model.log")
    try:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.exit_code is not None or time.monotonic() > deadline:
                raise RuntimeError("the offline model did not start")
            time.sleep(0.05)
        yield Model(f"http://127.0.0.1:{port}")
    finally:
        process.stop()
        process.wait()
