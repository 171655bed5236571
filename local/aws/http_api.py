"""The HTTP API of API Gateway, as an ASGI app: routes, authorizer, CORS, limits, and its own answers."""

import asyncio
import json
import re
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from local.aws import payload
from local.aws.authorizer import Forbidden, Identity, JwtAuthorizer, Refused
from local.aws.environment import Outcome
from local.aws.payload import InvalidResult, message
from local.aws.pool import Throttled
from local.aws.template import Authorizer, Cors, Route

INTEGRATION_TIMEOUT_S = 30.0
# For the request line and the headers.
MAX_HEADER_BYTES = 10_240
MAX_BODY_BYTES = 10 * 1024 * 1024
# Lambda's limit.
MAX_EVENT_BYTES = 6 * 1024 * 1024

Invoke = Callable[[str, bytes], Future[Outcome]]


class TooLarge(Exception):
    """Holds the status and the text of the answer."""


@dataclass(frozen=True)
class Matched:
    route: Route
    parameters: dict[str, str]


class HttpApi:
    """`invoke(function, event)` may raise Throttled. `log` gets one line per request."""

    def __init__(
        self,
        routes: tuple[Route, ...],
        cors: Cors | None,
        invoke: Invoke,
        log: Callable[[str], None],
        timeout_s: float = INTEGRATION_TIMEOUT_S,
    ) -> None:
        self._routes = [(_pattern(route.path), route) for route in sorted(routes, key=_generality)]
        self._authorizers: dict[Authorizer, JwtAuthorizer] = {
            route.authorizer: JwtAuthorizer(route.authorizer) for route in routes if route.authorizer
        }
        self._cors = cors
        self._invoke = invoke
        self._log = log
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.monotonic()
        request = Request(scope, receive)
        request_id = payload.new_request_id()
        matched = self.match(request.method, payload.raw_path(request))
        try:
            _check_header_size(scope)
            body = await read_body(request)
            if self._cors and is_preflight(request):
                answer = Response(status_code=204)
            elif matched:
                answer = await self._integrate(request, body, request_id, matched)
            else:
                answer = message(404, "Not Found")
            if self._cors:
                set_cors_headers(self._cors, request, answer)
        except TooLarge as error:
            answer = message(*error.args)
        answer.headers["apigw-requestid"] = request_id
        await answer(scope, receive, send)
        key = matched.route.key if matched else "-"
        self._log(f"{answer.status_code} {key} {(time.monotonic() - started) * 1000:.0f} ms")

    def match(self, method: str, path: str) -> Matched | None:
        """The most specific route. An encoded `/` does not separate segments."""
        for pattern, route in self._routes:
            if route.method in {method, "ANY"} and (found := pattern.fullmatch(path)):
                return Matched(route, {name: unquote(value) for name, value in found.groupdict().items()})
        return None

    async def _integrate(self, request: Request, body: bytes, request_id: str, matched: Matched) -> Response:
        try:
            identity = await self._authorize(request, matched.route)
        except Refused as refused:
            return message(401, "Unauthorized", {"www-authenticate": refused.www_authenticate})
        except Forbidden:
            return message(403, "Forbidden")
        context = payload.request_context(request, request_id, matched.route.key, identity)
        event = json.dumps(payload.event(request, body, context, matched.parameters)).encode()
        if len(event) > MAX_EVENT_BYTES:
            raise TooLarge(413, "Request Entity Too Large")
        try:
            # After a timeout here the function runs on until its own.
            running = asyncio.wrap_future(self._invoke(matched.route.function, event))
            outcome = await asyncio.wait_for(running, self._timeout_s)
            if outcome.is_error:
                return message(500, "Internal Server Error")
            return payload.response(outcome.payload)
        except (Throttled, TimeoutError):
            return message(503, "Service Unavailable")
        except InvalidResult:
            return message(500, "Internal Server Error")

    async def _authorize(self, request: Request, route: Route) -> Identity | None:
        if route.authorizer is None:
            return None
        authorizer = self._authorizers[route.authorizer]
        token = payload.header(request, "authorization")
        return await asyncio.to_thread(authorizer.authorize, token, route.scopes)


def _check_header_size(scope: Scope) -> None:
    size = len(scope["method"]) + len(scope["raw_path"]) + len(scope["query_string"])
    if size + sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
        raise TooLarge(431, "Request Header Fields Too Large")


async def read_body(request: Request) -> bytes:
    """Raises TooLarge."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(413, "Request Entity Too Large")
    return body


def is_preflight(request: Request) -> bool:
    return request.method == "OPTIONS" and "access-control-request-method" in request.headers


def set_cors_headers(cors: Cors, request: Request, answer: Response) -> None:
    """The configured CORS headers replace those that the function set."""
    for name in set(answer.headers):
        if name.startswith("access-control-"):
            del answer.headers[name]
    answer.headers.update(cors_headers(cors, request))


def cors_headers(cors: Cors, request: Request) -> dict[str, str]:
    """None for an origin that is not allowed."""
    origin = request.headers.get("origin")
    if origin is None or not {origin, "*"} & set(cors.origins):
        return {}
    headers = {"access-control-allow-origin": origin if origin in cors.origins else "*"}
    if is_preflight(request):
        headers["access-control-allow-methods"] = ",".join(cors.methods)
        headers["access-control-allow-headers"] = ",".join(cors.headers)
        if cors.max_age_s is not None:
            headers["access-control-max-age"] = str(cors.max_age_s)
    elif cors.exposed:
        headers["access-control-expose-headers"] = ",".join(cors.exposed)
    return headers


def _generality(route: Route) -> tuple[Any, ...]:
    """Literal segments before variables, those before greedy ones, ANY after a method, $default last."""
    if route.path == "$default":
        return (1,)
    segments = [
        2 if "+}" in segment else 1 if segment.startswith("{") else 0
        for segment in route.path.strip("/").split("/")
    ]
    return (0, segments, route.method == "ANY")


def _pattern(path: str) -> re.Pattern[str]:
    if path == "$default":
        return re.compile(".*")
    greedy = re.sub(r"\\{(\w+)\\\+\\}", r"(?P<\1>.+)", re.escape(path))
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", greedy))
