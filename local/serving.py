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


@contextlib.contextmanager
def serve_in_thread(make_app: Callable[[str], ASGIApp]) -> Iterator[str]:
    """Serves an app on a free port of loopback. Gives the address, which `make_app` is told as well."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(make_app(url), **QUIET))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield url
        finally:
            server.should_exit = True
            thread.join()
