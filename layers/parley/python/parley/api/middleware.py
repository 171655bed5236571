"""What every request gets: an id, limits, a log line, and a problem document for a crash."""

import asyncio
import logging
import time
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parley import tracing
from parley.api.problems import problem_response
from parley.errors import InternalError, PayloadTooLarge, RequestTimeout, TooManyRequests
from parley.ids import new_id
from parley.logs import describe_error, request_id
from parley.metrics import emit
from parley.paths import routed_path
from parley.services.shares import Shares

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 256 * 1024
# With one token. Finding out whose it is costs more than to refuse here. Nobody else can use its places up.
MAX_AT_ONCE = 50
# API Gateway and Function URLs hand over whole requests. Any other server passes on what comes, as it comes.
BODY_TIMEOUT_S = 15


class RequestScope:
    """ASGI middleware. Behind the gateway, the request's id is the gateway's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._places = Shares(MAX_AT_ONCE, 0, TooManyRequests)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        scope["path"] = routed_path(scope)
        event = scope.get("aws.event", {})
        # A tool calls the API in process, within the request that it serves, and shares its id.
        serving = request_id.get()
        identifier = event.get("requestContext", {}).get("requestId") or serving or str(new_id())
        scope.setdefault("state", {})["request_id"] = identifier
        token = request_id.set(identifier)
        try:
            with tracing.serve(scope, identifier) as span:
                await self._answer(scope, receive, _Reply(send, identifier, span, is_inner=bool(serving)))
        finally:
            request_id.reset(token)

    async def _answer(self, scope: Scope, receive: Receive, reply: "_Reply") -> None:
        started = time.monotonic()
        try:
            if _content_length(scope) > MAX_BODY_BYTES:
                await problem_response(PayloadTooLarge(), reply.request_id)(scope, receive, reply.send)
            else:
                async with self._place(scope, reply.is_inner):
                    await self._app(scope, _bounded(receive), reply.send)
        except TooManyRequests as problem:
            await problem_response(problem, reply.request_id)(scope, receive, reply.send)
        except Exception as error:
            # Not logger.exception: an error's text may hold content.
            logger.error("request_crashed", extra=describe_error(error))
            if reply.status:
                raise
            await problem_response(InternalError(), reply.request_id)(scope, receive, reply.send)
        finally:
            duration_ms = round((time.monotonic() - started) * 1000, 1)
            route = getattr(scope.get("route"), "path", None)
            described = {"method": scope["method"], "route": route, "status": reply.status}
            logger.info("request", extra={**described, "duration_ms": duration_ms})
            if not reply.is_inner:
                emit({"Responses": 1}, status=str(reply.status))

    def _place(self, scope: Scope, is_inner: bool) -> AbstractAsyncContextManager[None]:
        token = Headers(scope=scope).get("authorization")
        return self._places.hold(token) if token and not is_inner else nullcontext()


@dataclass
class _Reply:
    """Marks what is sent, and notes its status. `is_inner`: a tool is its client."""

    client: Send
    request_id: str
    span: tracing.RequestSpan | None
    is_inner: bool
    status: int = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.request_id
            headers["X-Content-Type-Options"] = "nosniff"
            headers.setdefault("Cache-Control", "no-store")
        elif self.span is not None and not message.get("more_body"):
            # Before the last part is sent: after it Lambda may freeze the process.
            self.span.end(self.status)
            if not self.is_inner:
                await tracing.flush()
        await self.client(message)


def _content_length(scope: Scope) -> int:
    header = Headers(scope=scope).get("content-length", "0")
    return int(header) if header.isdecimal() else 0


def _bounded(receive: Receive) -> Receive:
    """`receive`, raising PayloadTooLarge before too much is in memory, and RequestTimeout for a slow body."""
    received, is_whole = 0, False
    deadline = asyncio.get_running_loop().time() + BODY_TIMEOUT_S

    async def receive_bounded() -> Message:
        nonlocal received, is_whole
        try:
            async with asyncio.timeout_at(None if is_whole else deadline):
                message = await receive()
        except TimeoutError:
            raise RequestTimeout from None
        received += len(message.get("body", b""))
        if received > MAX_BODY_BYTES:
            raise PayloadTooLarge
        is_whole = not message.get("more_body", False)
        return message

    return receive_bounded
