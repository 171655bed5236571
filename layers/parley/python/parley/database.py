"""One trip per statement: the engine, and pg8000 made safe behind a transaction pooler.

Stock pg8000 sends a parameterised statement as three exchanges, each ended by Sync. In autocommit behind
PgBouncer in transaction mode each exchange is a transaction of its own and may go to another server
connection, where another client's statement lies prepared: it executes other people's SQL. `OneFlush`
sends the whole statement before a single Sync, and before it, in the same implicit transaction, the
`app.user_id` that row-level security reads. Both together are one round trip.
"""

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Concatenate, ParamSpec, TypeVar, cast
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
from parley.metrics import emit

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
Rows = Sequence[Row[*tuple[Any, ...]]]

# Of the TCP handshake; the attempt is repeated once, and "database down" is answered within 3 s.
CONNECT_TIMEOUT_S = 1.4
# Of everything after it: Neon may wake from suspension beneath a statement.
READ_TIMEOUT_S = 10
# Neon closes idle connections after 5 minutes.
RECYCLE_S = 240
POOL_WAIT_S = 3

_SET_USER = "select set_config('app.user_id', $1, true)"
_UNNAMED = pg.NULL_BYTE
_DESCRIBE_PORTAL = pg._create_message(pg.DESCRIBE, pg.PORTAL + pg.NULL_BYTE)

# SQLSTATEs: the server is going down or starting, or the pooler lost it.
_CONNECTION_LOST = {"57P01", "57P02", "57P03", "08000", "08003", "08006", "08P01"}
# Too many connections, lock or statement time-out, serialization failure, deadlock.
_PASSING = {"53300", "55P03", "57014", "40001", "40P01"}


class OneFlush(pg8000.dbapi.Connection):
    """A pg8000 connection that sends every statement in one flush, as the user `user_id`."""

    user_id: str | None = None

    def execute_unnamed(
        self, statement: str, vals: Sequence[Any] = (), oids: Sequence[int] = (), stream: Any = None
    ) -> pg.Context:
        context = pg.Context(statement, stream=stream)
        message = bytearray()
        rows: list[Any] = []
        if self.user_id is not None:
            # Not described, so its row arrives as one without columns, ahead of the statement's own.
            context.rows = rows
            message += _parse(_SET_USER) + _bind([self.user_id]) + pg.EXECUTE_MSG
        message += _parse(statement, oids) + _bind(make_params(self.py_types, vals))
        message += _DESCRIBE_PORTAL + pg.EXECUTE_MSG + pg.SYNC_MSG
        if self._sock is None:
            raise pg8000.dbapi.InterfaceError("connection is closed")
        try:
            pg._write(self._sock, bytes(message))
            pg._flush(self._sock)
            self.handle_messages(context)
        except OSError as error:
            # pg8000 leaves some of them, such as a reset while it reads, as they are.
            raise pg8000.dbapi.InterfaceError("network error") from error
        if self.user_id is not None:
            context.rows = rows[1:] if context.columns is not None else None
            context.row_count -= 1
        return context

    def execute_simple(self, statement: str) -> pg.Context:
        return self.execute_unnamed(statement)

    def commit(self) -> None:
        if self._in_transaction:
            super().commit()

    def close(self) -> None:
        # pg8000 leaves the stream over the socket, and with it the socket of a broken connection, to the
        # garbage collector.
        stream = self._sock
        try:
            super().close()
        finally:
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
        return bool(super().is_disconnect(e, connection, cursor)) or sqlstate(e) in _CONNECTION_LOST


registry.register("postgresql.oneflush", __name__, "Dialect")


def sqlstate(error: BaseException | None) -> str | None:
    """The five-letter code of a pg8000 error, e.g. `23505`."""
    if isinstance(error, pg8000.dbapi.DatabaseError) and error.args and isinstance(error.args[0], dict):
        return str(error.args[0].get("C"))
    return None


def error_message(error: BaseException | None) -> str:
    """The server's message in a pg8000 error."""
    assert isinstance(error, pg8000.dbapi.DatabaseError)  # noqa: S101 (sqlstate() has told so)
    return str(error.args[0]["M"])


def _passing(error: DBAPIError) -> bool:
    """True for an error that says nothing about the statement: it may succeed when sent again."""
    return (
        error.connection_invalidated
        or isinstance(error.orig, pg8000.dbapi.InterfaceError)
        or sqlstate(error.orig) in _CONNECTION_LOST | _PASSING
    )


def _timed_out(error: DBAPIError) -> bool:
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
        """Open a connection. Raises pg8000's InterfaceError "network error" when it cannot."""
        try:
            sock = socket.create_connection((self.host, self.port), CONNECT_TIMEOUT_S)
        except OSError as error:
            raise pg8000.dbapi.InterfaceError("network error") from error
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(READ_TIMEOUT_S)
            return kind(
                user=self.user,
                password=self.password,
                host=self.host,
                database=self.database,
                sock=sock,
                ssl_context=self._tls if self._tls is not None else False,
            )
        except BaseException as error:
            sock.close()
            if isinstance(error, OSError):
                raise pg8000.dbapi.InterfaceError("network error") from error
            raise


class Database:
    """The engine. Every statement runs by itself, as one user, in one trip; nothing is held between."""

    def __init__(self, url: str, *, pool_size: int) -> None:
        address = Address(url)
        self._engine: Engine = create_engine(
            "postgresql+oneflush://",
            creator=lambda: address.connect(OneFlush),
            isolation_level="AUTOCOMMIT",
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=POOL_WAIT_S,
            pool_recycle=RECYCLE_S,
            hide_parameters=True,
        )
        event.listen(self._engine, "before_cursor_execute", _set_user)

    async def call(
        self, query: Callable[Concatenate["Database", P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `query(self, …)` in a thread: the event loop must not wait for the database."""
        return await asyncio.to_thread(query, self, *args, **kwargs)

    def rows(
        self, user_id: str | None, statement: Executable, params: Mapping[str, Any] | None = None
    ) -> Rows:
        """Run one statement that returns rows, as `user_id`.

        A statement whose connection turns out to be dead, or that lost a deadlock, is sent once more: every
        statement here is idempotent by its keys. Raises DatabaseUnavailable; errors that are about the
        statement itself pass as they are.
        """
        for may_retry in (True, False):
            try:
                return self._run(user_id, statement, params)
            except PoolTimeout as error:
                emit({"DatabaseUnavailable": 1})
                raise DatabaseUnavailable from error
            except DBAPIError as error:
                if not _passing(error):
                    raise
                # A server that was silent for the whole time-out would only be silent again.
                if not may_retry or _timed_out(error):
                    emit({"DatabaseUnavailable": 1})
                    raise DatabaseUnavailable from error
                emit({"DatabaseRetries": 1})
        raise AssertionError("unreachable")

    def _run(self, user_id: str | None, statement: Executable, params: Mapping[str, Any] | None) -> Rows:
        started = time.monotonic()
        with Session(self._engine.execution_options(user_id=user_id)) as session:
            rows = session.execute(statement, params).all()
        logger.debug("statement", extra={"duration_ms": round((time.monotonic() - started) * 1000, 1)})
        return rows

    def close(self) -> None:
        """Drop every connection; the next statement opens a new one."""
        self._engine.dispose()


def _set_user(connection: Connection, cursor: Any, *_: Any) -> None:
    # `Cursor.connection` warns, hence its private name.
    cursor._c.user_id = connection.get_execution_options().get("user_id")
