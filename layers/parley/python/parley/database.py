"""One round trip per statement: the engine, and pg8000 made safe behind a transaction pooler.

Stock pg8000 sends a parameterised statement as three exchanges, each ended by Sync. In autocommit behind
PgBouncer in transaction mode each exchange is a transaction of its own and may go to another server
connection, where another client's statement lies prepared: it executes other people's SQL. `OneFlush`
sends the whole statement before a single Sync, and before it, in the same implicit transaction, the
`app.user_id` that row-level security reads. Both together are one round trip.
"""

import asyncio
import logging
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, cast
from urllib.parse import parse_qs, unquote, urlsplit

import pg8000.core as pg
import pg8000.dbapi
from pg8000.converters import make_params
from sqlalchemy import create_engine, event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.pg8000 import PGDialect_pg8000
from sqlalchemy.engine import Connection, Engine, Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.sql import Executable
from sqlmodel import Session

from parley.config import ConfigError
from parley.errors import DatabaseUnavailable
from parley.logs import describe_error
from parley.metrics import emit

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
Rows = Sequence[Row[*tuple[Any, ...]]]

# Connecting is tried twice, so "database down" is answered within 3 s.
CONNECT_TIMEOUT_S = 1.4
# For each answer during TLS and login, while Neon may have to wake from suspension.
LOGIN_TIMEOUT_S = 5
# For each answer to a statement.
READ_TIMEOUT_S = 10
# Neon closes idle connections after 5 minutes.
RECYCLE_S = 240
POOL_WAIT_S = 3

_SET_USER = "select set_config('app.user_id', $1, true)"
_UNNAMED = pg.NULL_BYTE
_SQLSTATE = re.compile("[0-9A-Z]{5}")
_DESCRIBE_PORTAL = pg._create_message(pg.DESCRIBE, pg.PORTAL + pg.NULL_BYTE)

Meaning = Literal["lost", "transient"]
# What an SQLSTATE or its class means. With any other code the statement is at fault, and the error is raised.
# lost: the connection or its server is no longer good. transient: the statement may succeed when sent again.
_SQLSTATES: Mapping[str, Meaning] = {
    "08": "lost",  # connection exception
    "25006": "lost",  # a server that only reads, as after a failover
    "28": "lost",  # login refused: a pooler may log in only when a statement comes
    "3D": "lost",  # no such database: likewise
    "40": "transient",  # serialization failure, deadlock
    "53": "lost",  # out of memory, disk or connections
    "55P03": "transient",  # lock_timeout
    "57": "lost",  # shutting down, starting, ended by an operator
    "57014": "transient",  # statement_timeout
    "58": "lost",  # system error
    "XX": "lost",  # internal error
}


class CannotConnect(pg8000.dbapi.InterfaceError):
    """Connecting failed, for whatever reason. The cause is chained."""


class ConnectionLost(pg8000.dbapi.InterfaceError):
    """The answer to a statement is missing, or is none that PostgreSQL gives. The cause is chained."""


class _Exchange(pg.Context):
    """What comes back for one flush."""

    completed = 0


class OneFlush(pg8000.dbapi.Connection):
    """A pg8000 connection that sends every statement in one flush, as the user `user_id`."""

    user_id: str | None = None

    def execute_unnamed(
        self, statement: str, vals: Sequence[Any] = (), oids: Sequence[int] = (), stream: Any = None
    ) -> pg.Context:
        context = _Exchange(statement, stream=stream)
        message = bytearray()
        rows: list[Any] = []
        if self.user_id is not None:
            # Not described, so its row arrives as one without columns, ahead of the statement's own.
            context.rows = rows
            message += _parse(_SET_USER) + _bind([self.user_id]) + pg.EXECUTE_MSG
        message += _parse(statement, oids) + _bind(make_params(self.py_types, vals))
        message += _DESCRIBE_PORTAL + pg.EXECUTE_MSG + pg.SYNC_MSG
        try:
            pg._write(self._sock, bytes(message))
            pg._flush(self._sock)
            self.handle_messages(context)
        except pg8000.dbapi.DatabaseError:
            raise  # the whole answer was read
        except Exception as error:
            # What is unread would be taken for the answer to the next statement, which may be another user's.
            raise ConnectionLost from context.error or error.__cause__ or error
        if context.completed != (1 if self.user_id is None else 2):
            raise ConnectionLost("the answer is incomplete")
        if self.user_id is not None:
            context.rows = rows[1:] if context.columns is not None else None
            context.row_count -= 1
        return context

    def handle_COMMAND_COMPLETE(self, data: bytes, context: _Exchange) -> None:  # noqa: N802
        context.completed += 1
        super().handle_COMMAND_COMPLETE(data, context)

    def execute_simple(self, statement: str) -> pg.Context:
        return self.execute_unnamed(statement)

    def commit(self) -> None:
        if self._in_transaction:
            super().commit()

    def close(self) -> None:
        # pg8000 leaves the stream over the socket, and with it the socket of a broken connection, to the
        # garbage collector. When it cannot say goodbye, it raises that in place of what went wrong before.
        stream = self._sock
        with suppress(OSError, pg8000.dbapi.InterfaceError):
            super().close()
        if stream is not None:
            with suppress(OSError):
                stream.close()


def _parse(statement: str, oids: Sequence[int] = ()) -> bytes:
    types = b"".join(pg.i_pack(0 if oid == -1 else oid) for oid in oids)
    text = statement.encode() + pg.NULL_BYTE
    return cast(bytes, pg._create_message(pg.PARSE, _UNNAMED + text + pg.H_pack(len(oids)) + types))


def _bind(params: Sequence[str | None]) -> bytes:
    data = bytearray(pg.NULL_BYTE + _UNNAMED + pg.H_pack(0) + pg.H_pack(len(params)))
    for param in params:
        if param is None:
            data += pg.i_pack(-1)
        else:
            value = param.encode()
            data += pg.i_pack(len(value)) + value
    return cast(bytes, pg._create_message(pg.BIND, bytes(data + pg.H_pack(0))))


class Dialect(PGDialect_pg8000):
    """pg8000's dialect with what SQLAlchemy asks a server on first connect answered beforehand (P8)."""

    supports_statement_cache = True
    server_version_info = (15, 0)

    def initialize(self, connection: Connection) -> None:
        self.default_schema_name = "public"
        self.default_isolation_level = "READ COMMITTED"
        self._backslash_escapes = False

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        return _meaning(e) == "lost"


registry.register("postgresql.oneflush", __name__, "Dialect")


def sqlstate(error: BaseException | None) -> str | None:
    """The code, e.g. `23505`, of a PostgreSQL error or of the one that `error` was raised from."""
    while error is not None:
        if isinstance(error, pg8000.dbapi.DatabaseError) and error.args and isinstance(error.args[0], dict):
            code = str(error.args[0].get("C"))
            return code if _SQLSTATE.fullmatch(code) else None
        error = error.__cause__
    return None


def error_message(error: BaseException | None) -> str:
    """The server's message in a pg8000 error."""
    assert isinstance(error, pg8000.dbapi.DatabaseError)  # noqa: S101 (only called when there is an SQLSTATE)
    return str(error.args[0]["M"])


def _meaning(error: BaseException | None) -> Meaning | None:
    """What a pg8000 error means for its connection. None: the error is about the statement itself."""
    if isinstance(error, CannotConnect | ConnectionLost):
        return "lost"
    if not isinstance(error, pg8000.dbapi.DatabaseError):
        return None
    code = sqlstate(error)
    # PostgreSQL's own errors have a code.
    return _SQLSTATES.get(code, _SQLSTATES.get(code[:2])) if code else "lost"


def _timed_out(error: DBAPIError) -> bool:
    """Whether the server was silent for the whole time-out, as it would be again."""
    return error.orig is not None and isinstance(error.orig.__cause__, TimeoutError)


class Address:
    """A Postgres URL as Neon gives it: `connect()` opens a verified connection to it.

    Plaintext is for loopback, or where the URL says `sslmode=disable`; everything else is TLS with the
    certificate and the host name verified (`sslrootcert` names another authority). Raises ConfigError.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if not parts.scheme.startswith("postgres") or not parts.hostname or not parts.username:
            raise ConfigError("DATABASE_URL: not of the form postgresql://user:password@host/database")
        self.host = parts.hostname
        self.port = parts.port or 5432
        self.user = unquote(parts.username)
        self.password = unquote(parts.password or "")
        self.database = unquote(parts.path.lstrip("/")) or self.user
        local = self.host in ("localhost", "127.0.0.1", "::1")
        plain = query.get("sslmode", "disable" if local else "require") == "disable"
        # Built once: a context costs 50 ms of CPU, and without one pg8000 verifies nothing.
        self._tls = None if plain else ssl.create_default_context(cafile=query.get("sslrootcert"))

    def connect(self, kind: type[pg8000.dbapi.Connection] = pg8000.dbapi.Connection) -> Any:
        """Open a connection. Raises CannotConnect, whatever goes wrong."""
        try:
            sock = socket.create_connection((self.host, self.port), CONNECT_TIMEOUT_S)
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(LOGIN_TIMEOUT_S)
                connection = self._log_in(kind, sock)
            except BaseException:
                sock.close()
                raise
        except Exception as error:
            raise CannotConnect(str(error)) from error
        # TLS has put a socket of its own in place of the first.
        connection._usock.settimeout(READ_TIMEOUT_S)
        return connection

    def _log_in(self, kind: type[pg8000.dbapi.Connection], sock: socket.socket) -> pg8000.dbapi.Connection:
        return kind(
            user=self.user,
            password=self.password,
            host=self.host,
            database=self.database,
            sock=sock,
            ssl_context=self._tls if self._tls is not None else False,
        )


def _connect(address: Address) -> Any:
    """Connect, at the second attempt if need be: Neon's control plane fails now and then."""
    try:
        return address.connect(OneFlush)
    except CannotConnect as error:
        _retrying(error)
        return address.connect(OneFlush)


class Database:
    """The engine. Every statement runs by itself, as one user, in one trip; nothing is held between."""

    def __init__(self, url: str, *, pool_size: int) -> None:
        address = Address(url)
        self._engine: Engine = create_engine(
            "postgresql+oneflush://",
            creator=partial(_connect, address),
            isolation_level="AUTOCOMMIT",
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=POOL_WAIT_S,
            pool_recycle=RECYCLE_S,
            hide_parameters=True,
        )
        event.listen(self._engine, "before_cursor_execute", _set_user)
        self._thread_count = 2 * pool_size
        self._threads: ThreadPoolExecutor | None = None

    async def call(
        self, query: Callable[Concatenate["Database", P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `query(self, …)` in a thread: the event loop must not wait for the database."""
        # Its own threads: the agent's tools may keep the event loop's for long.
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._thread_count, "database")
        run = partial(copy_context().run, query, self, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, run)

    def rows(
        self, user_id: str | None, statement: Executable, params: Mapping[str, Any] | None = None
    ) -> Rows:
        """Run one statement that returns rows, as `user_id`.

        A statement whose connection turns out to be lost, or that lost a deadlock, is sent once more: every
        statement here is idempotent by its keys. Raises DatabaseUnavailable; errors that are about the
        statement itself pass as they are.
        """
        for may_retry in (True, False):
            try:
                return self._execute(user_id, statement, params)
            except PoolTimeout as error:
                raise _unavailable(error) from error
            except DBAPIError as error:
                if _meaning(error.orig) is None:
                    raise
                # Connecting was tried twice already.
                if not may_retry or isinstance(error.orig, CannotConnect) or _timed_out(error):
                    raise _unavailable(error) from error
                _retrying(error)
        raise AssertionError("unreachable")

    def _execute(self, user_id: str | None, statement: Executable, params: Mapping[str, Any] | None) -> Rows:
        started = time.monotonic()
        with Session(self._engine.execution_options(user_id=user_id)) as session:
            rows = session.execute(statement, params).all()
        logger.debug("statement", extra={"duration_ms": round((time.monotonic() - started) * 1000, 1)})
        return rows

    def close(self) -> None:
        """Drop every connection and thread; the next statement makes new ones."""
        self._engine.dispose()
        if self._threads is not None:
            self._threads.shutdown(wait=False)
            self._threads = None


def _set_user(connection: Connection, cursor: Any, *_: Any) -> None:
    # `Cursor.connection` warns, hence its private name.
    cursor._c.user_id = connection.get_execution_options().get("user_id")


def _retrying(error: Exception) -> None:
    emit({"DatabaseRetries": 1})
    logger.warning("database_retried", extra=_described(error))


def _unavailable(error: Exception) -> DatabaseUnavailable:
    emit({"DatabaseUnavailable": 1})
    logger.error("database_unavailable", extra=_described(error))
    return DatabaseUnavailable()


def _described(error: Exception) -> dict[str, str | None]:
    """Enough for an operator: a wrong password, for example, is 28P01. The server's text may hold content."""
    return {"sqlstate": sqlstate(error), "error": describe_error(error)["error"]}
