"""A proxy in front of a PostgreSQL server that says something else in place of one of its messages."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Literal

READY = b"Z"
Stage = Literal["login", "statement"]
Then = Literal["close", "reset", "resume", "stall"]


@dataclass(frozen=True)
class Fault:
    """What comes in place of message `at` of a login or of a statement's answer, or of the last one.

    `then`: `resume` leaves out the rest of the answer, as an error of the statement's own does. `stall` keeps
    the connection open and says no more.
    """

    stage: Stage
    at: int
    said: bytes = b""
    then: Then = "close"


def error(code: str, severity: str = "ERROR") -> bytes:
    """An ErrorResponse."""
    return message(b"E", f"S{severity}\0V{severity}\0C{code}\0Mplayed; not to be logged\0\0".encode())


def message(kind: bytes, body: bytes = b"", length: int | None = None) -> bytes:
    """A message of the protocol. `length`: a wrong one."""
    return kind + struct.pack("!i", len(body) + 4 if length is None else length) + body


@dataclass
class FaultyPostgres:
    """`play(fault, times)`: it happens to the next so many logins or statements."""

    upstream: tuple[str, int]
    connections: int = 0
    _fault: Fault | None = None
    _times: int = 0
    _open: set[socket.socket] = field(default_factory=set)
    _is_closing: bool = False

    def play(self, fault: Fault | None, times: int = 1) -> None:
        self._fault, self._times = fault, times

    @contextlib.contextmanager
    def listen(self) -> Iterator[int]:
        """Accept connections on a free port of loopback; gives the port."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            accepting = threading.Thread(target=self._accept, args=(listener,))
            accepting.start()
            try:
                yield listener.getsockname()[1]
            finally:
                self._is_closing = True
                listener.shutdown(socket.SHUT_RDWR)
                for each in list(self._open):
                    _shut(each)
                accepting.join()

    def _accept(self, listener: socket.socket) -> None:
        threads = []
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                self.connections += 1
                threads.append(threading.Thread(target=self._carry, args=(client,)))
                threads[-1].start()
        for each in threads:
            each.join()

    def _carry(self, client: socket.socket) -> None:
        self._open.add(client)
        if self._is_closing:
            _shut(client)
        with client, socket.create_connection(self.upstream) as server:
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            up = threading.Thread(target=_pump, args=(client, server))
            up.start()
            with contextlib.suppress(OSError, EOFError), server.makefile("rb") as answers:
                self._answer(client, answers, up)
            _shut(client)
            _shut(server)
            up.join()
        self._open.discard(client)

    def _answer(self, client: socket.socket, answers: BinaryIO, up: threading.Thread) -> None:
        stage: Stage = "login"
        at, skipping = 0, False
        while True:
            data = _read_message(answers)
            last = data[:1] == READY
            if not skipping and (fault := self._due(stage, at, last)):
                client.sendall(fault.said)
                skipping = True
                if fault.then == "resume" and not last:
                    continue
                if fault.then != "resume":
                    return _leave(client, fault, up)
            if last or not skipping:
                client.sendall(data)
            at += 1
            if last:
                stage, at, skipping = "statement", 0, False

    def _due(self, stage: Stage, at: int, last: bool) -> Fault | None:
        fault = self._fault
        if not fault or not self._times or fault.stage != stage or (at != fault.at and not last):
            return None
        if last and at > fault.at:
            return None
        self._times -= 1
        return fault


def _leave(client: socket.socket, fault: Fault, up: threading.Thread) -> None:
    if fault.then == "reset":
        # What a socket holds is thrown away when it lingers for no time. Nobody may read from it meanwhile.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.shutdown(socket.SHUT_RD)
        up.join()
        client.close()
    elif fault.then == "stall":
        up.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    _shut(target)


def _read_message(answers: BinaryIO) -> bytes:
    head = answers.read(5)
    if len(head) < 5:
        raise EOFError
    return head + answers.read(struct.unpack("!i", head[1:])[0] - 4)


def _shut(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
