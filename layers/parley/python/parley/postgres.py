"""One round trip per statement over TCP: pg8000 made safe behind a transaction pooler.

Stock pg8000 sends a parameterised statement as three exchanges, each ended by Sync. In autocommit behind
PgBouncer in transaction mode each exchange is a transaction of its own and may go to another server
connection, where another client's statement lies prepared: it executes other people's SQL. `OneFlush`
sends the whole statement before a single Sync, and before it, in the same implicit transaction, the
`app.user_id` that row-level security reads. Both together are one round trip.
"""

import re
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

import pg8000.core as pg
import pg8000.dbapi
from pg8000.converters import make_params

from parley.config import LOOPBACK, ConfigError

# Connecting is tried twice over TCP, so "database down" is answered within 3 s.
CONNECT_TIMEOUT_S = 1.4
# Before connecting a second time: Neon's control plane fails now and then.
PAUSES_S: tuple[float, ...] = (0.0,)
# For each answer during TLS and login, while Neon may have to wake from suspension.
LOGIN_TIMEOUT_S = 5
# For each answer to a statement. Shorter than a turn may take, so that the turn can still say that it failed.
READ_TIMEOUT_S = 10

SQLSTATE = re.compile("[0-9A-Z]{5}")
SET_USER = "select set_config('app.user_id', $1, true)"
_UNNAMED = pg.NULL_BYTE
_DESCRIBE_PORTAL = pg._create_message(pg.DESCRIBE, pg.PORTAL + pg.NULL_BYTE)


class CannotConnect(pg8000.dbapi.InterfaceError):
    """Connecting failed, for whatever reason. The cause is chained, or `reason` says it and may be logged."""

    def __init__(self, text: str = "", *, reason: str | None = None) -> None:
        super().__init__(text)
        self.reason = reason


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
            message += _parse(SET_USER) + _bind([self.user_id]) + pg.EXECUTE_MSG
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
        self._authority = query.get("sslrootcert")
        plain = query.get("sslmode", "disable" if self.host in LOOPBACK else "require") == "disable"
        # Without a context pg8000 verifies nothing.
        self._tls = None if plain else self._context()

    def tls(self) -> ssl.SSLContext:
        """For TLS with a server that is reached another way. Verifies as `connect` does."""
        return self._tls or self._context()

    def _context(self) -> ssl.SSLContext:
        # Built once: a context costs 50 ms of CPU.
        return ssl.create_default_context(cafile=self._authority)

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
