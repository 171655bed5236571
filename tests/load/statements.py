"""Counts what clients execute in PostgreSQL, from the protocol, so that every driver is counted alike."""

import re
import socket
import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.proxy import Proxy

Kind = Literal["statement", "transaction", "setting"]
_SSL_REQUEST = 80_877_103
_TRANSACTION = re.compile(r"\s*(begin|start transaction|commit|rollback|savepoint|release)\b", re.I)
_SETTING = re.compile(r"\s*(set\b|select (pg_catalog\.)?set_config\()", re.I)


def kind(sql: str) -> Kind:
    """`transaction` for begin, commit and the like; `setting` for SET and set_config; else `statement`."""
    if _TRANSACTION.match(sql):
        return "transaction"
    return "setting" if _SETTING.match(sql) else "statement"


@dataclass
class Conversation:
    """What one client sends on one connection. Executions are added to `executed`."""

    executed: Counter[Kind]
    _buffer: bytearray = field(default_factory=bytearray)
    _started: bool = False
    _prepared: dict[bytes, str] = field(default_factory=dict)
    _portals: dict[bytes, str] = field(default_factory=dict)

    def feed(self, data: bytes) -> None:
        self._buffer += data
        while (message := self._next()) is not None:
            self._read(*message)

    def _next(self) -> tuple[bytes, bytes] | None:
        # Messages before the start-up message have no type byte.
        head = 1 if self._started else 0
        if len(self._buffer) < head + 4:
            return None
        (length,) = struct.unpack_from("!i", self._buffer, head)
        if len(self._buffer) < head + length:
            return None
        name, body = bytes(self._buffer[:head]), bytes(self._buffer[head + 4 : head + length])
        del self._buffer[: head + length]
        return name, body

    def _read(self, name: bytes, body: bytes) -> None:
        match name:
            case b"":
                self._started = struct.unpack_from("!i", body)[0] != _SSL_REQUEST
            case b"P":
                statement, text, _ = body.split(b"\0", 2)
                self._prepared[statement] = text.decode()
            case b"B":
                portal, statement, _ = body.split(b"\0", 2)
                self._portals[portal] = self._prepared.get(statement, "")
            case b"E":
                self.executed[kind(self._portals.get(body.split(b"\0", 1)[0], ""))] += 1
            case b"Q":
                for sql in filter(str.strip, body.rstrip(b"\0").decode().split(";")):
                    self.executed[kind(sql)] += 1


class _ReadSocket:
    """A client's socket. What it receives is also fed to `conversation`."""

    def __init__(self, client: socket.socket, conversation: Conversation) -> None:
        self._client = client
        self._conversation = conversation

    def recv(self, size: int) -> bytes:
        data = self._client.recv(size)
        self._conversation.feed(data)
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


@dataclass
class CountingProxy(Proxy):
    """A proxy that also counts the executions of statements, by kind."""

    executed: Counter[Kind] = field(default_factory=Counter)

    def _upwards(self, client: Any, server: socket.socket, answering: list[bool]) -> None:
        observed: Any = _ReadSocket(client, Conversation(self.executed))
        super()._upwards(observed, server, answering)
