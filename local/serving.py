import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp

# Critical only: a stream cut on command is a response that never completes, which uvicorn calls an error.
QUIET: dict[str, Any] = {
    "log_level": "critical",
    "access_log": False,
    "ws": "none",
    "timeout_graceful_shutdown": 1,
}


def listen(port: int = 0) -> socket.socket:
    """A listening socket on loopback, on a free port unless one is given.

    The protocol is named because asyncio switches Nagle's algorithm off only where it is: without it every
    reply of two parts waits 40 ms for the client's delayed acknowledgement.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    listener.setblocking(False)
    return listener


@contextlib.contextmanager
def serve_in_thread(make_app: Callable[[str], ASGIApp], port: int = 0) -> Iterator[str]:
    """Serves an app on loopback as `listen` does. Gives the address, which `make_app` is told as well."""
    with listen(port) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(make_app(url), **QUIET))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield url
        finally:
            server.should_exit = True
            thread.join()
