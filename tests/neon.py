"""A stand-in for Neon's proxy: SQL over HTTP at /sql, and the wire protocol over a WebSocket.

Written after Neon's proxy and held to it by Neon's official driver (tests/integration/test_neon_driver.py).
`python -m tests.neon --port 8003` serves the database that DATABASE_URL names.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import ssl
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import parse_headers, responses
from pathlib import Path
from typing import Any, Literal

import pg8000.dbapi

from local.parent_watch import ChildProcess
from local.ports import free_port
from parley.config import ConfigError
from parley.database import sqlstate
from parley.postgres import Address, CannotConnect, OneFlush
from tests.pgbouncer import BINARY, pgbouncer
from tests.websocket import WebSocket

ROOT = Path(__file__).parents[1]
LIMIT = 10 * 1024 * 1024
# Idle connections to PostgreSQL, as in Neon's pool.
KEPT = 20
# What goes wrong. A status is answered, and `html` by a load balancer, before anything is executed. `close`
# leaves the client without an answer, before or after COMMIT, and so does `silence`, after it. `password`: it
# is taken for a wrong one.
Fault = Literal[
    "close before", "close after", "silence", "password", "html", "nonsense", 413, 429, 500, 503, 507
]
Reply = tuple[int, bytes]

_SAID = "played; not to be logged"
_FIELDS = {
    "dataTypeID": "type_oid",
    "tableID": "table_oid",
    "columnID": "column_attrnum",
    "dataTypeSize": "type_size",
    "dataTypeModifier": "type_modifier",
}
# fmt: off
_ERROR_FIELDS = {
    "message": "M", "code": "C", "severity": "S", "detail": "D", "hint": "H", "position": "P",
    "internalPosition": "p", "internalQuery": "q", "where": "W", "schema": "s", "table": "t", "column": "c",
    "dataType": "d", "constraint": "n", "file": "F", "line": "L", "routine": "R",
}
# fmt: on
_ISOLATION = {
    "ReadUncommitted": "read uncommitted",
    "ReadCommitted": "read committed",
    "RepeatableRead": "repeatable read",
    "Serializable": "serializable",
}


class Closed(Exception):
    """The connection at hand is to be closed without an answer."""


class Upstream(OneFlush):
    """A connection to PostgreSQL, on which values are text."""

    tag = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pg_types = defaultdict(lambda: str)

    def handle_COMMAND_COMPLETE(self, data: bytes, context: Any) -> None:  # noqa: N802
        self.tag = data[:-1].decode()
        super().handle_COMMAND_COMPLETE(data, context)

    def run(self, query: Mapping[str, Any]) -> dict[str, Any]:
        params = [
            each if each is None or isinstance(each, str) else json.dumps(each) for each in query["params"]
        ]
        context = self.execute_unnamed(query["query"], params)
        command, *counts = self.tag.split(" ")
        fields = [
            {
                "name": column["name"],
                **{name: column[ours] for name, ours in _FIELDS.items()},
                "format": "text",
            }
            for column in context.columns or []
        ]
        return {
            "fields": fields,
            "rows": context.rows or [],
            "command": command,
            "rowCount": int(counts[-1]) if counts and counts[-1].isdigit() else None,
            "rowAsArray": True,
        }

    def run_batch(self, queries: list[Mapping[str, Any]], headers: Mapping[str, str]) -> dict[str, Any]:
        level = _ISOLATION[headers.get("neon-batch-isolation-level", "ReadCommitted")]
        access = "read only" if headers.get("neon-batch-read-only") == "true" else "read write"
        self.execute_simple(f"start transaction isolation level {level}, {access}")
        results = [self.run(query) for query in queries]
        self.execute_simple("commit")
        return {"results": results}


@dataclass
class Neon:
    """In front of `direct_url`, or of `pooled_url` for the same user."""

    direct_url: str
    pooled_url: str | None = None
    tls: ssl.SSLContext | None = None
    connections: int = 0
    requests: int = 0
    port: int = 0
    _fault: Fault | None = None
    _times: int = 0
    _open: set[socket.socket] = field(default_factory=set)
    _pools: dict[str, list[Upstream]] = field(default_factory=lambda: defaultdict(list))

    @property
    def http_url(self) -> str:
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}/sql"

    def play(self, fault: Fault | None, times: int = 1) -> None:
        """It happens to the next so many requests."""
        self._fault, self._times = fault, times

    @contextlib.contextmanager
    def listen(self, port: int = 0) -> Iterator["Neon"]:
        with socket.create_server(("127.0.0.1", port), backlog=128) as listener:
            self.port = listener.getsockname()[1]
            accepting = threading.Thread(target=self._accept, args=(listener,))
            accepting.start()
            try:
                yield self
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                accepting.join()

    def cut(self) -> None:
        """Close every connection with a client."""
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        threads = []
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threads.append(threading.Thread(target=self._serve, args=(client,)))
                threads[-1].start()
        while any(each.is_alive() for each in threads):
            self.cut()
            time.sleep(0.01)
        for connection in [each for pool in self._pools.values() for each in pool]:
            connection.close()

    def _serve(self, client: socket.socket) -> None:
        self.connections += 1
        with client, contextlib.suppress(OSError, EOFError, Closed):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.tls.wrap_socket(client, server_side=True) if self.tls else client as connection:
                self._open.add(connection)
                try:
                    self._converse(connection)
                finally:
                    self._open.discard(connection)

    def _converse(self, client: socket.socket) -> None:
        with client.makefile("rb") as stream:
            while line := stream.readline():
                method, path, _ = line.decode().split(" ")
                headers = {name.lower(): value for name, value in parse_headers(stream).items()}
                if headers.get("upgrade") == "websocket":
                    WebSocket(client, stream, headers["sec-websocket-key"]).relay(self._log_in)
                    break
                body = stream.read(int(headers.get("content-length", 0)))
                if (method, path) == ("POST", "/sql"):
                    self.requests += 1
                    status, reply = self._played(client, headers, body)
                else:
                    status, reply = _problem(400, "no such path")
                head = f"HTTP/1.1 {status} {responses[status]}\r\nContent-Length: {len(reply)}\r\n\r\n"
                client.sendall(head.encode() + reply)

    def _played(self, client: socket.socket, headers: Mapping[str, str], body: bytes) -> Reply:
        fault = self._fault if self._times > 0 else None
        self._times -= 1
        match fault:
            case "close before":
                raise Closed
            case "html":
                return 502, b"<html><body>502 Bad Gateway</body></html>"
            case "nonsense":
                return 200, b'{"results": [{}, {}]}'
            case "password":
                return _problem(400, f"password authentication failed: {_SAID}", code=None)
            case int():
                return _problem(fault, f"could not connect to the compute: {_SAID}")
        reply = self._answer(headers, body)
        if fault == "silence":
            client.recv(1)
        if fault in ("close after", "silence"):
            raise Closed
        return reply

    def _answer(self, headers: Mapping[str, str], body: bytes) -> Reply:
        if len(body) > LIMIT:
            return _problem(413, "request is too large")
        try:
            asked = json.loads(body)
            with self._connection(headers["neon-connection-string"]) as upstream:
                batch = asked.get("queries")
                found = upstream.run(asked) if batch is None else upstream.run_batch(batch, headers)
        except (CannotConnect, ConfigError) as error:
            return _problem(400, str(error), code=sqlstate(error) if sqlstate(error) == "3D000" else None)
        except pg8000.dbapi.DatabaseError as error:
            fields = {name: error.args[0].get(letter) for name, letter in _ERROR_FIELDS.items()}
            return _problem(400, **fields)
        except pg8000.dbapi.InterfaceError:
            return _problem(500, "could not connect to the compute")
        except (ValueError, KeyError) as error:
            return _problem(400, repr(error), code=None)
        reply = json.dumps(found).encode()
        return (200, reply) if len(reply) <= LIMIT else _problem(507, "response is too large")

    @contextlib.contextmanager
    def _connection(self, url: str) -> Iterator[Upstream]:
        """From the pool. What a client left behind is cleared before it goes back."""
        pool = self._pools[url]
        connection = pool.pop() if pool else self._log_in(Address(url))
        try:
            try:
                yield connection
            finally:
                connection.rollback()
                connection.execute_simple("discard all")
        except pg8000.dbapi.InterfaceError:
            connection.close()
            raise
        finally:
            if connection._usock is not None:
                pool.append(connection)
            if len(pool) > KEPT:
                pool.pop().close()

    def _log_in(self, given: Address) -> Upstream:
        there = Address(self.direct_url)
        # PgBouncer takes any password, PostgreSQL the right one.
        if self.pooled_url and _login(given) == _login(there):
            there = Address(self.pooled_url)
        there.user, there.password, there.database = _login(given)
        connection: Upstream = there.connect(Upstream)
        return connection


def _login(address: Address) -> tuple[str, str, str]:
    return address.user, address.password, address.database


def _problem(status: int, message: str, **fields: str | None) -> Reply:
    return status, json.dumps({"message": message, **fields}).encode()


@contextlib.contextmanager
def serve(
    folder: Path, url: str, port: int = 0, *, servers: int = KEPT, tls: ssl.SSLContext | None = None
) -> Iterator[Neon]:
    """In front of the database at `url`, through PgBouncer where that is installed."""
    with contextlib.ExitStack() as stack:
        pooled = stack.enter_context(pgbouncer(folder, url, servers=servers)) if BINARY else None
        yield stack.enter_context(Neon(url, pooled, tls).listen(port))


@contextlib.contextmanager
def serve_apart(
    folder: Path, url: str, *, servers: int = KEPT, certificate: Path | None = None
) -> Iterator[int]:
    """The same in a process of its own, over TLS if it has a certificate. Yields its port."""
    port = free_port()
    command = [sys.executable, "-m", "tests.neon", "--port", str(port), "--servers", str(servers)]
    command += ["--certificate", str(certificate)] if certificate else []
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "DATABASE_URL": url}
    folder.mkdir(parents=True, exist_ok=True)
    process = ChildProcess.start(command, log=folder / "neon.log", env=env, cwd=ROOT)
    try:
        deadline = time.monotonic() + 30
        while not _listens(port):
            assert process.exit_code is None, (folder / "neon.log").read_text()
            assert time.monotonic() < deadline, "it does not answer"
            time.sleep(0.05)
        yield port
    finally:
        process.stop()
        process.wait()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.neon", description=__doc__)
    parser.add_argument("--port", type=int, default=8003)
    parser.add_argument("--servers", type=int, default=KEPT, help="connections to PostgreSQL at most")
    parser.add_argument("--certificate", help="a file with a certificate and its key, for TLS")
    options = parser.parse_args()
    tls = None
    if options.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.certificate)
        # The bench's proxy would take a ticket for an answer that the client waited for.
        tls.num_tickets = 0
    url = os.environ["DATABASE_URL"]
    # SIGTERM would end this process without the `with` statements' ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(Path(folder), url, options.port, servers=options.servers, tls=tls),
    ):
        threading.Event().wait()


if __name__ == "__main__":
    main()
