"""The engine: every statement by itself, as one user, in one round trip, over TCP or HTTP."""

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

import pg8000.dbapi
from opentelemetry.trace import SpanKind
from sqlalchemy import create_engine, event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.pg8000 import PGDialect_pg8000
from sqlalchemy.engine import Connection, Engine, Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.sql import Executable
from sqlmodel import Session

from parley import neon, postgres, tracing
from parley.config import Transport, suspect_secret
from parley.errors import DatabaseUnavailable
from parley.logs import describe_error
from parley.metrics import emit
from parley.postgres import READ_TIMEOUT_S, SQLSTATE, Address, CannotConnect, ConnectionLost, OneFlush

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
Rows = Sequence[Row[*tuple[Any, ...]]]

# Neon closes idle connections after 5 minutes.
RECYCLE_S = 240
POOL_WAIT_S = 3

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
            return code if SQLSTATE.fullmatch(code) else None
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


def _is_final(error: DBAPIError) -> bool:
    """Whether it would be the same again: the server was silent for the whole time-out, or refuses us."""
    if isinstance(error.orig, CannotConnect):
        return isinstance(error.orig, neon.Refused)
    return error.orig is not None and isinstance(error.orig.__cause__, TimeoutError)


class Database:
    """The engine. Every statement runs by itself, as one user, in one trip; nothing is held between."""

    def __init__(
        self, url: str, *, pool_size: int, transport: Transport = "auto", http_url: str | None = None
    ) -> None:
        address = Address(url)
        self._described: tracing.Attributes = {
            "db.system.name": "postgresql",
            "db.namespace": address.database,
            "server.address": address.host,
            "server.port": address.port,
        }
        connect: Callable[[], Any] = partial(address.connect, OneFlush)
        self._pauses_s = postgres.PAUSES_S
        if transport == "http" or (transport == "auto" and neon.is_neons(address.host)):
            connect = neon.connector(address, http_url)
            self._pauses_s = neon.PAUSES_S
        self._engine: Engine = create_engine(
            "postgresql+oneflush://",
            creator=connect,
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
        statement here is idempotent by its keys. So is one that did not reach the database, after each of the
        transport's pauses. Raises DatabaseUnavailable; errors that are about the statement itself pass as
        they are.
        """
        if not tracing.is_on():
            return self._rows(user_id, statement, params)
        # A statement is known by the function that it is for.
        name = sys._getframe(1).f_code.co_name
        with tracing.span(name, {**self._described, "db.query.summary": name}, SpanKind.CLIENT):
            try:
                return self._rows(user_id, statement, params)
            except Exception as error:
                if code := sqlstate(error):
                    tracing.note({"db.response.status_code": code})
                raise

    def _rows(self, user_id: str | None, statement: Executable, params: Mapping[str, Any] | None) -> Rows:
        started, pauses_s, may_resend = time.monotonic(), iter(self._pauses_s), True
        while True:
            try:
                return self._execute(user_id, statement, params)
            except PoolTimeout as error:
                raise _unavailable(error) from error
            except DBAPIError as error:
                if _meaning(error.orig) is None:
                    raise
                pause_s = 0.0 if may_resend else None
                if isinstance(error.orig, CannotConnect):
                    pause_s = next(pauses_s, None)
                else:
                    may_resend = False
                if pause_s is None or _is_final(error) or time.monotonic() - started > READ_TIMEOUT_S:
                    raise _unavailable(error) from error
                _retrying(error)
                time.sleep(pause_s)

    def _execute(self, user_id: str | None, statement: Executable, params: Mapping[str, Any] | None) -> Rows:
        started = time.monotonic()
        with Session(self._engine.execution_options(user_id=user_id)) as session:
            rows = session.execute(statement, params).all()
        logger.debug("statement", extra={"duration_ms": round((time.monotonic() - started) * 1000, 1)})
        return rows

    def close(self) -> None:
        """Drop every connection and thread; the next statement makes new ones.

        Waits for the statements that are running: a pool does not close a connection that is in use.
        """
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown()
        self._engine.dispose()


def _set_user(connection: Connection, cursor: Any, *_: Any) -> None:
    # `Cursor.connection` warns, hence its private name.
    cursor._c.user_id = connection.get_execution_options().get("user_id")


def _retrying(error: Exception) -> None:
    emit({"DatabaseRetries": 1})
    logger.warning("database_retried", extra=_described(error))


def _unavailable(error: Exception) -> DatabaseUnavailable:
    emit({"DatabaseUnavailable": 1})
    if sqlstate(error) == "28P01" or isinstance(getattr(error, "orig", None), neon.Refused):
        suspect_secret()
    logger.error("database_unavailable", extra=_described(error))
    return DatabaseUnavailable()


def _described(error: Exception) -> dict[str, str | None]:
    """Enough for an operator: a wrong password, for example, is 28P01. The server's text may hold content."""
    described = {"sqlstate": sqlstate(error), "error": describe_error(error)["error"]}
    if isinstance(error, DBAPIError) and isinstance(error.orig, CannotConnect) and error.orig.reason:
        described["reason"] = error.orig.reason
    return described
