"""The Lambda Runtime API for one runtime client, which fetches invocations here and answers them.

The client's requests become objects in `reports`. It waits until `invoke` is called, or until `restored` is
set.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import queue
import secrets
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from local.serving import serve_in_thread

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


class RuntimeApi:
    """Listens on a free port of loopback until it is closed."""

    def __init__(self) -> None:
        self.reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        self._invocations: queue.SimpleQueue[Response] = queue.SimpleQueue()
        self.restored = threading.Event()
        routes = [
            Route("/invocation/next", self._next_invocation),
            Route("/restore/next", self._wait_until_restored),
            Route("/invocation/{request_id}/{kind}", self._take_answer, methods=["POST"]),
            Route("/{phase}/error", self._take_failure, methods=["POST"]),
        ]
        self._serving = ExitStack()
        app = Starlette(routes=[Mount(PREFIX, routes=routes)])
        url = self._serving.enter_context(serve_in_thread(lambda _: app))
        self.address = url.removeprefix("http://")

    def invoke(self, function_arn: str, request_id: str, event: bytes, deadline_ms: int) -> None:
        """Gives the client its next invocation."""
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": function_arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};Sampled=0",
        }
        self._invocations.put(Response(event, headers=headers))

    def close(self) -> None:
        """Releases a client that still waits."""
        self._invocations.put(Response(status_code=503))
        self.restored.set()
        self._serving.close()

    def _next_invocation(self, _: Request) -> Response:
        self.reports.put(Ready())
        return self._invocations.get()

    def _wait_until_restored(self, _: Request) -> Response:
        self.reports.put(ReadyForSnapshot())
        self.restored.wait()
        return Response()

    async def _take_failure(self, request: Request) -> Response:
        error = await request.json()
        # Only the header says which phase failed.
        kind = request.headers.get(ERROR_TYPE, error.get("errorType"))
        self.reports.put(Failed({**error, "errorType": kind}))
        return Response(status_code=202)

    async def _take_answer(self, request: Request) -> Response:
        body = await request.body()
        is_error = request.path_params["kind"] == "error"
        too_large = not is_error and len(body) > MAX_PAYLOAD_BYTES
        payload = _too_large(len(body)) if too_large else body
        self.reports.put(Answer(request.path_params["request_id"], payload, is_error or too_large))
        return Response(status_code=413 if too_large else 202)


def _too_large(size: int) -> bytes:
    message = f"Response payload size ({size} bytes) exceeded maximum allowed payload size (6291556 bytes)."
    return json.dumps({"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}).encode()
