"""What every request gets: an id, limits for its body, a log line, and a problem document for a crash."""

import asyncio
import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parley.api.problems import problem_response
from parley.errors import InternalError, PayloadTooLarge, RequestTimeout
from parley.ids import new_id
from parley.logs import describe_error, request_id
from parley.metrics import emit
from parley.paths import routed_path

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 256 * 1024
# API Gateway and Function URLs hand over whole requests. Any other server passes on what comes, as it comes.
BODY_TIMEOUT_S = 15


class RequestScope:
    """ASGI middleware. Behind the gateway, the request's id is the gateway's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

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
        started = time.monotonic()
        status = 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = identifier
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            if _content_length(scope) > MAX_BODY_BYTES:
                await problem_response(PayloadTooLarge(), identifier)(scope, receive, send_marked)
            else:
                await self._app(scope, _bounded(receive), send_marked)
        except Exception as error:
            # Not logger.exception: an error's text may hold content.
            logger.error("request_crashed", extra=describe_error(error))
            if status:
                raise
            await problem_response(InternalError(), identifier)(scope, receive, send_marked)
        finally:
            duration_ms = round((time.monotonic() - started) * 1000, 1)
            route = getattr(scope.get("route"), "path", None)
            extra = {"method": scope["method"], "route": route, "status": status, "duration_ms": duration_ms}
            logger.info("request", extra=extra)
            if not serving:
                emit({"Responses": 1}, status=str(status))
            request_id.reset(token)


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
