"""HTTP on loopback: serving an ASGI app from a thread, and asking whether a server answers."""

import contextlib
import http.client
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp

# Critical only: uvicorn logs an error for a stream that the offline model cuts on command.
QUIET: dict[str, Any] = {
    "log_level": "critical",
    "access_log": False,
    "ws": "none",
    "timeout_graceful_shutdown": 1,
}
# A proxy in the environment is not for this machine's own addresses.
WITHOUT_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def listen(port: int = 0) -> socket.socket:
    """A listening socket on loopback, on a free port by default.

    The protocol is named because asyncio switches off Nagle's algorithm only on sockets that name it. With
    Nagle, every reply of two parts waits 40 ms for the client's delayed acknowledgement.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    listener.setblocking(False)
    return listener


@contextlib.contextmanager
def serve_in_thread(make_app: Callable[[str], ASGIApp], port: int = 0, **options: Any) -> Iterator[str]:
    """Serve the app that `make_app` makes for this address. `options` are uvicorn's."""
    with listen(port) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(make_app(url), **QUIET, **options))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield url
        finally:
            server.should_exit = True
            thread.join()


def answers(url: str) -> bool:
    """Whether a server answers there, with anything but a server error."""
    try:
        with WITHOUT_PROXY.open(url, timeout=60):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return error.code < 500
    except (OSError, http.client.HTTPException):
        return False
