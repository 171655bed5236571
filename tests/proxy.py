"""A TCP proxy that counts, delays and cuts: what a network does to the database, on command."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Traffic:
    """`round_trips`: how often the client sent something and then waited for the server's answer."""

    connections: int = 0
    round_trips: int = 0
    bytes_up: int = 0
    bytes_down: int = 0


@dataclass
class Proxy:
    """Between clients and the server at `upstream`. `delay_s` is added to each direction's half trip."""

    upstream: tuple[str, int]
    delay_s: float = 0
    traffic: Traffic = field(default_factory=Traffic)
    # Cut the connection once this many more round trips have been asked for; the request still goes through
    # (`cut_reply`: its answer does not come back) or not.
    cut_after: int | None = None
    cut_reply: bool = False
    silent: bool = False
    # Before the next reply comes back, once: a server that was asleep.
    wakes_in_s: float = 0
    _sockets: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextlib.contextmanager
    def listen(self) -> Iterator[int]:
        """Accept connections on a free port of loopback; gives the port."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
            try:
                yield listener.getsockname()[1]
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                self.cut()

    def cut(self) -> None:
        """Close every connection, as a network or a pooler that restarts does."""
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        """Carry one connection until either side closes it."""
        with client, contextlib.suppress(OSError), socket.create_connection(self.upstream) as server:
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.traffic.connections += 1
                self._sockets |= {client, server}
            answering = [False]
            down = threading.Thread(target=self._downwards, args=(client, server, answering), daemon=True)
            down.start()
            self._upwards(client, server, answering)
            down.join()

    def _upwards(self, client: socket.socket, server: socket.socket, answering: list[bool]) -> None:
        asking = False
        with contextlib.suppress(OSError):
            while data := client.recv(65_536):
                if answering[0] or not asking:
                    asking, answering[0] = True, False
                    self.traffic.round_trips += 1
                    if self._cuts_now():
                        if self.cut_reply:
                            self.silent = True
                            server.sendall(data)
                            time.sleep(0.1)
                            self.silent = False
                        break
                self.traffic.bytes_up += len(data)
                time.sleep(self.delay_s / 2)
                server.sendall(data)
        for each in (client, server):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _cuts_now(self) -> bool:
        if self.cut_after is None:
            return False
        self.cut_after -= 1
        if self.cut_after >= 0:
            return False
        self.cut_after = None
        return True

    def _downwards(self, client: socket.socket, server: socket.socket, answering: list[bool]) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65_536):
                answering[0] = True
                self.traffic.bytes_down += len(data)
                waking, self.wakes_in_s = self.wakes_in_s, 0
                time.sleep(self.delay_s / 2 + waking)
                if not self.silent:
                    client.sendall(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
