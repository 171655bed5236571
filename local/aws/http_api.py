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

from starlette.types import Message, Receive, Scope, Send

from local.aws import payload
from local.aws.authorizer import Forbidden, Identity, JwtAuthorizer, Refused
from local.aws.environment import Outcome
from local.aws.payload import InvalidResult, Request, Response, message
from local.aws.pool import Throttled
from local.aws.template import Authorizer, Cors, Route

INTEGRATION_TIMEOUT_S = 30.0
# The request line and the headers.
MAX_HEADER_BYTES = 10_240
MAX_BODY_BYTES = 10 * 1024 * 1024
# Of what Lambda takes.
MAX_EVENT_BYTES = 6 * 1024 * 1024

Invoke = Callable[[str, bytes], Future[Outcome]]


class TooLarge(Exception):
    pass


@dataclass(frozen=True)
class Matched:
    route: Route
    parameters: dict[str, str]


class HttpApi:
    """`invoke(function, event)` may raise Throttled; `log` is told a line a request."""

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
        request_id = payload.new_request_id()
        key = "-"
        try:
            _check_header_size(scope)
            request = await read_request(scope, receive)
            if self._cors and is_preflight(request):
                answer = Response(204, (), b"")
            elif matched := self.match(request.method, request.path):
                key = matched.route.key
                answer = await self._integrate(request, request_id, matched)
            else:
                answer = message(404, "Not Found")
            if self._cors:
                answer = with_cors(self._cors, request, answer)
        except TooLarge as error:
            answer = message(*error.args)
        await send_response(send, answer, ("apigw-requestid", request_id))
        self._log(f"{answer.status} {key} {(time.monotonic() - started) * 1000:.0f} ms")

    def match(self, method: str, path: str) -> Matched | None:
        """The most specific route; a decoded `/` does not part segments."""
        for pattern, route in self._routes:
            if route.method in {method, "ANY"} and (found := pattern.fullmatch(path)):
                names = re.findall(r"{([^}+]+)\+?}", route.path)
                return Matched(route, dict(zip(names, map(unquote, found.groups()), strict=True)))
        return None

    async def _integrate(self, request: Request, request_id: str, matched: Matched) -> Response:
        try:
            identity = await self._authorize(request, matched.route)
        except Refused as refused:
            return message(401, "Unauthorized", ("www-authenticate", refused.www_authenticate))
        except Forbidden:
            return message(403, "Forbidden")
        made = payload.event(request, request_id, matched.route.key, matched.parameters, identity)
        event = json.dumps(made).encode()
        if len(event) > MAX_EVENT_BYTES:
            raise TooLarge(413, "Request Entity Too Large")
        try:
            # Cut off here, the function goes on until its own timeout.
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
        return await asyncio.to_thread(authorizer.authorize, request.header("authorization"), route.scopes)


def _check_header_size(scope: Scope) -> None:
    size = len(scope["method"]) + len(scope["raw_path"]) + len(scope["query_string"])
    if size + sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
        raise TooLarge(431, "Request Header Fields Too Large")


async def read_request(scope: Scope, receive: Receive) -> Request:
    """Raises TooLarge."""
    body = b""
    more = True
    while more:
        received: Message = await receive()
        body += received.get("body", b"")
        more = received.get("more_body", False)
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(413, "Request Entity Too Large")
    return Request(
        scope["method"],
        scope["raw_path"].decode("latin-1"),
        scope["query_string"].decode("latin-1"),
        tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]),
        body,
        scope["client"][0],
        scope["scheme"],
    )


async def send_response(send: Send, answer: Response, *more: tuple[str, str]) -> None:
    headers = [*answer.headers, *more]
    headers = [pair for pair in headers if pair[0] != "content-length"]
    headers.append(("content-length", str(len(answer.body))))
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    start: dict[str, Any] = {"type": "http.response.start", "status": answer.status, "headers": encoded}
    await send(start)
    await send({"type": "http.response.body", "body": answer.body})


def is_preflight(request: Request) -> bool:
    return request.method == "OPTIONS" and request.header("access-control-request-method") is not None


def with_cors(cors: Cors, request: Request, answer: Response) -> Response:
    """The configured CORS headers for an allowed origin; the backend's own are ignored."""
    headers = [pair for pair in answer.headers if not pair[0].startswith("access-control-")]
    headers += cors_headers(cors, request)
    return Response(answer.status, tuple(headers), answer.body)


def cors_headers(cors: Cors, request: Request) -> list[tuple[str, str]]:
    origin = request.header("origin")
    if origin is None or not {origin, "*"} & set(cors.origins):
        return []
    headers = {"access-control-allow-origin": origin if origin in cors.origins else "*"}
    if is_preflight(request):
        headers["access-control-allow-methods"] = ",".join(cors.methods)
        headers["access-control-allow-headers"] = ",".join(cors.headers)
        if cors.max_age_s is not None:
            headers["access-control-max-age"] = str(cors.max_age_s)
    elif cors.exposed:
        headers["access-control-expose-headers"] = ",".join(cors.exposed)
    return list(headers.items())


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
    parts = [re.escape(part) for part in re.split(r"{[^}]+}", path)]
    variables = ["(.+)" if "+" in variable else "([^/]+)" for variable in re.findall(r"{[^}]+}", path)]
    return re.compile(
        "".join(text + variable for text, variable in zip(parts, [*variables, ""], strict=True))
    )
