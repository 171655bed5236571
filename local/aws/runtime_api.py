"""The Lambda Runtime API for one runtime client, which fetches invocations here and answers them.

The client's requests become objects in `reports`. It waits until there is one in `invocations`, or until
`restored` is set.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PREFIX = "/2018-06-01/runtime"
MAX_PAYLOAD_BYTES = 6 * 1024 * 1024 + 100
ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"


@dataclass(frozen=True)
class Ready:
    """The client has initialised or answered, and waits for an invocation."""


@dataclass(frozen=True)
class ReadyForSnapshot:
    """The client has run its hooks and waits to be restored."""


@dataclass(frozen=True)
class Failed:
    """The client could not be initialised or restored. `error` is Lambda's error object."""

    error: Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """An invocation's result: a payload, or Lambda's error object as JSON."""

    request_id: str
    payload: bytes
    is_error: bool


Report = Ready | ReadyForSnapshot | Failed | Answer


@dataclass(frozen=True)
class Invocation:
    request_id: str
    event: bytes
    deadline_ms: int
    function_arn: str
    trace_id: str

    def headers(self) -> dict[str, str]:
        return {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": self.request_id,
            "Lambda-Runtime-Deadline-Ms": str(self.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": self.function_arn,
            "Lambda-Runtime-Trace-Id": self.trace_id,
        }


class RuntimeApi(ThreadingHTTPServer):
    """Listens on a free port of loopback until it is closed."""

    daemon_threads = True
    # A thread waits as long as its client, which may be killed while frozen.
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        self.invocations: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self.restored = threading.Event()
        self.address = f"127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, args=[0.1], daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Releases a client that still waits."""
        self.invocations.put(None)
        self.restored.set()
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without these two, every call waits 40 ms for the client's delayed acknowledgement.
    disable_nagle_algorithm = True
    wbufsize = -1
    server: RuntimeApi

    def do_GET(self) -> None:
        api = self.server
        if self.path == f"{PREFIX}/invocation/next":
            api.reports.put(Ready())
            invocation = api.invocations.get()
            if invocation is None:
                self.close_connection = True
            else:
                self._reply(HTTPStatus.OK, invocation.event, invocation.headers())
        elif self.path == f"{PREFIX}/restore/next":
            api.reports.put(ReadyForSnapshot())
            api.restored.wait()
            self._reply(HTTPStatus.OK)
        else:
            self._reply(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        report = self._parse(self.path.removeprefix(PREFIX).strip("/").split("/"), body)
        if report is None:
            self._reply(HTTPStatus.NOT_FOUND)
            return
        too_large = isinstance(report, Answer) and report.payload != body
        self._reply(HTTPStatus.REQUEST_ENTITY_TOO_LARGE if too_large else HTTPStatus.ACCEPTED)
        self.wfile.flush()
        self.server.reports.put(report)

    def _parse(self, path: list[str], body: bytes) -> Report | None:
        match path:
            case ["init" | "restore", "error"]:
                error = json.loads(body)
                # Only the header says which phase failed.
                return Failed({**error, "errorType": self.headers.get(ERROR_TYPE, error.get("errorType"))})
            case ["invocation", request_id, "error"]:
                return Answer(request_id, body, is_error=True)
            case ["invocation", request_id, "response"] if len(body) > MAX_PAYLOAD_BYTES:
                return Answer(request_id, _too_large(len(body)), is_error=True)
            case ["invocation", request_id, "response"]:
                return Answer(request_id, body, is_error=False)
        return None

    def _reply(self, status: HTTPStatus, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response_only(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _too_large(size: int) -> bytes:
    message = f"Response payload size ({size} bytes) exceeded maximum allowed payload size (6291556 bytes)."
    return json.dumps({"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}).encode()
