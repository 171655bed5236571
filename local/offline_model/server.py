import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn

from local.offline_model.app import create_app

# A cut stream is a response that never completes: uvicorn would report each one as an error.
SETTINGS: dict[str, Any] = {
    "log_level": "critical",
    "access_log": False,
    "lifespan": "off",
    "ws": "none",
    "timeout_graceful_shutdown": 1,
}


@contextlib.contextmanager
def serve(*, word_delay_ms: float = 0) -> Iterator[str]:
    """Runs the offline model in a thread, on a free port; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(create_app(word_delay_ms=word_delay_ms), **SETTINGS))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
