"""Neon's serverless driver, spoken without one: SQL over HTTPS, where one POST is one transaction.

A new connection costs two round trips fewer than TLS and a login over TCP, and none stays open in Neon while
an environment is frozen. The connection string, with its password, is in a header: headers are never logged.
"""

import json
import ssl
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from http.client import HTTPConnection, HTTPSConnection
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

import pg8000.core as pg
import pg8000.dbapi
from pg8000.converters import PG_TYPES, PY_TYPES, make_params, string_in

from parley.config import ConfigError
from parley.errors import DataTooLarge
from parley.postgres import (
    CONNECT_TIMEOUT_S,
    READ_TIMEOUT_S,
    SET_USER,
    SQLSTATE,
    Address,
    CannotConnect,
    ConnectionLost,
    OneFlush,
)

# Before a statement that nothing has executed is sent again. Neon's control plane fails now and then.
PAUSES_S = (0.2, 0.6)

_TOO_LARGE = (413, 507)
# The letters of an error's fields in the wire protocol.
_LETTERS = {
    "severity": "S",
    "code": "C",
    "message": "M",
    "detail": "D",
    "hint": "H",
    "position": "P",
    "internalPosition": "p",
    "internalQuery": "q",
    "where": "W",
    "schema": "s",
    "table": "t",
    "column": "c",
    "dataType": "d",
    "constraint": "n",
    "file": "F",
    "line": "L",
    "routine": "R",
}


class Refused(CannotConnect):
    """Neon does not accept the connection string, nor will it when asked again."""


class OverHttp(OneFlush):
    """A pg8000 connection whose statements each travel as one POST, with their user's setting before them."""

    def __init__(self, address: Address, url: SplitResult, tls: ssl.SSLContext | None) -> None:
        # Without super().__init__(), which logs in.
        self.pg_types = defaultdict(lambda: string_in, PG_TYPES)
        self.py_types = dict(PY_TYPES)
        self.autocommit = True
        self._transaction_status = None
        self._http = _http_connection(url, tls)
        self._path = url.path
        self._headers = {
            "Neon-Connection-String": _connection_string(address),
            # Values as PostgreSQL writes them, and rows as lists: objects lose columns of the same name.
            "Neon-Raw-Text-Output": "true",
            "Neon-Array-Mode": "true",
            "Neon-Pool-Opt-In": "true",
            "Content-Type": "application/json",
        }

    def execute_unnamed(
        self, statement: str, vals: Sequence[Any] = (), oids: Sequence[int] = (), stream: Any = None
    ) -> pg.Context:
        query = {"query": statement, "params": make_params(self.py_types, vals)}
        if self.user_id is None:
            reply = self._post(query)
        else:
            reply = self._post({"queries": [{"query": SET_USER, "params": [self.user_id]}, query]})
        try:
            if self.user_id is not None:
                _, reply = reply["results"]
            return self._context(statement, reply)
        except Exception as error:
            raise ConnectionLost("the reply is not one of Neon's") from error

    def close(self) -> None:
        self._http.close()

    def _post(self, body: Mapping[str, Any]) -> Any:
        # Not as ASCII: half of a surrogate pair has to fail here, as it does over TCP.
        data = json.dumps(body, ensure_ascii=False).encode()
        socket = self._http.sock or self._connect()
        try:
            socket.settimeout(READ_TIMEOUT_S)
            # A request that is too large may be answered, and cut off, before it is sent to its end.
            with suppress(ConnectionError):
                self._http.request("POST", self._path, data, self._headers)
            with self._http.getresponse() as response:
                text = response.read()
        except Exception as error:
            self._http.close()
            raise ConnectionLost from error
        if response.status in _TOO_LARGE:
            self._http.close()
        return _reply(response.status, text)

    def _connect(self) -> Any:
        try:
            self._http.connect()
        except Exception as error:
            self._http.close()
            raise CannotConnect(str(error)) from error
        return self._http.sock

    def _context(self, statement: str, result: Mapping[str, Any]) -> pg.Context:
        context = pg.Context(statement)
        if result["fields"]:
            context.columns = [
                {"name": field["name"], "type_oid": field["dataTypeID"]} for field in result["fields"]
            ]
            readers = [self.pg_types[column["type_oid"]] for column in context.columns]
            context.rows = [
                [None if value is None else read(value) for read, value in zip(readers, row, strict=True)]
                for row in result["rows"]
            ]
        if result["rowCount"] is not None:
            context.row_count = result["rowCount"]
        return context


def is_neons(host: str) -> bool:
    return host.endswith(".neon.tech")


def connector(address: Address, http_url: str | None) -> Callable[[], OverHttp]:
    """Makes connections to the database at `address`. Raises ConfigError."""
    if http_url is None and not is_neons(address.host):
        # To guess another company's host would send it the password.
        raise ConfigError("DATABASE_HTTP_URL: is not set, and DATABASE_URL's host is not below neon.tech")
    _, _, region = address.host.partition(".")
    url = urlsplit(http_url or f"https://api.{region}/sql")
    return partial(OverHttp, address, url, address.tls() if url.scheme == "https" else None)


def _http_connection(url: SplitResult, tls: ssl.SSLContext | None) -> HTTPConnection:
    host = url.hostname or ""
    if tls is None:
        return HTTPConnection(host, url.port, timeout=CONNECT_TIMEOUT_S)
    return HTTPSConnection(host, url.port, timeout=CONNECT_TIMEOUT_S, context=tls)


def _connection_string(address: Address) -> str:
    user, password, database = (
        quote(part, safe="") for part in (address.user, address.password, address.database)
    )
    return f"postgresql://{user}:{password}@{address.host}/{database}"


def _reply(status: int, text: bytes) -> Any:
    """The reply's JSON, if the request was carried out."""
    try:
        reply = json.loads(text)
    except ValueError:
        reply = None  # from a load balancer
    if status in _TOO_LARGE:
        raise DataTooLarge
    if status == 200 and reply is not None:
        return reply
    if status == 400 and isinstance(reply, dict):
        if not SQLSTATE.fullmatch(str(reply.get("code"))):
            raise Refused(reason="DATABASE_URL: its user, password or database is refused")
        fields = {letter: str(reply[name]) for name, letter in _LETTERS.items() if reply.get(name)}
        raise pg8000.dbapi.DatabaseError({"V": fields.get("S", ""), **fields})
    raise CannotConnect(reason=f"HTTP status {status}")
