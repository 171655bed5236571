"""The server's side of PostgreSQL's wire protocol over a WebSocket, as Neon's driver speaks it."""

import base64
import contextlib
import hashlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any, BinaryIO

from parley.postgres import Address, CannotConnect
from tests.faulty_postgres import error, message

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_BINARY, _CLOSE, _PING, _PONG = 2, 8, 9, 10


class WebSocket:
    """Frames are a stream of bytes, whose borders mean nothing."""

    def __init__(self, client: socket.socket, stream: BinaryIO, key: str) -> None:
        self._client = client
        self._stream = stream
        self._buffer = bytearray()
        self._sending = threading.Lock()
        accept = base64.b64encode(hashlib.sha1((key + _MAGIC).encode()).digest()).decode()
        client.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )

    def relay(self, log_in: Callable[[Address], Any]) -> None:
        """Ask for the password in clear text, log in with it, and carry everything after that unchanged."""
        start = self._read(struct.unpack("!i", self._read(4))[0] - 4)
        words = start[4:].decode().split("\0")
        settings = dict(zip(words[::2], words[1::2], strict=False))
        self._send(message(b"R", struct.pack("!i", 3)))
        head = self._read(5)
        password = self._read(struct.unpack("!i", head[1:])[0] - 4)[:-1].decode()
        given = Address("postgresql://user@localhost")
        given.user, given.password, given.database = settings["user"], password, settings["database"]
        try:
            upstream = log_in(given)
        except CannotConnect:
            self._send(error("28P01", "FATAL"))
            return
        with contextlib.closing(upstream):
            self._send(_logged_in(upstream))
            down = threading.Thread(target=self._carry_down, args=(upstream._usock,))
            down.start()
            with contextlib.suppress(OSError, EOFError):
                while True:
                    upstream._usock.sendall(self._read(max(1, len(self._buffer))))
            with contextlib.suppress(OSError):
                upstream._usock.shutdown(socket.SHUT_RDWR)
            down.join()

    def _carry_down(self, upstream: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := upstream.recv(65_536):
                self._send(data)
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)

    def _read(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._buffer += self._frame()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _frame(self) -> bytes:
        kind, size = self._exactly(2)
        size &= 127
        if size > 125:
            (size,) = (
                struct.unpack("!H", self._exactly(2))
                if size == 126
                else struct.unpack("!Q", self._exactly(8))
            )
        mask = self._exactly(4) * (size // 4 + 1)
        data = bytes(one ^ other for one, other in zip(self._exactly(size), mask, strict=False))
        if kind & 15 == _CLOSE:
            raise EOFError
        if kind & 15 == _PING:
            self._send(data, _PONG)
        return data if kind & 15 in (0, _BINARY) else b""

    def _exactly(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def _send(self, data: bytes, kind: int = _BINARY) -> None:
        size = bytes([len(data)]) if len(data) < 126 else b"\x7f" + struct.pack("!Q", len(data))
        with self._sending:
            self._client.sendall(bytes([128 | kind]) + size + data)


def _logged_in(upstream: Any) -> bytes:
    """What PostgreSQL says after the password, again."""
    settings = upstream.parameter_statuses.items()
    said = b"".join(message(b"S", f"{name}\0{value}\0".encode()) for name, value in settings)
    return (
        message(b"R", struct.pack("!i", 0))
        + said
        + message(b"K", upstream._backend_key_data)
        + message(b"Z", b"I")
    )
