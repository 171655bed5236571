"""Payload format 2.0: an HTTP request as an event, and a function's result as an HTTP response.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import binascii
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from local.aws.authorizer import Identity
from local.aws.template import ACCOUNT

API_ID = "local"
# The gateway keeps these to itself.
_HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "cookie"}


@dataclass(frozen=True)
class Request:
    """An HTTP request, as a server has read it. `path` is percent-encoded."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    client: str
    scheme: str

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key == name]
        return ",".join(values) if values else None


@dataclass(frozen=True)
class Response:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class InvalidResult(Exception):
    """The function's result is no response."""


def message(status: int, text: str, *headers: tuple[str, str]) -> Response:
    """What the gateway itself says."""
    body = json.dumps({"message": text}, separators=(",", ":")).encode()
    return Response(status, (("content-type", "application/json"), *headers), body)


def new_request_id() -> str:
    return base64.b64encode(secrets.token_bytes(11)).decode()


def event(
    request: Request,
    request_id: str,
    route_key: str,
    parameters: Mapping[str, str],
    identity: Identity | None,
) -> dict[str, Any]:
    # The gateway decodes the path, and what then looks like a query is lost.
    path = unquote(request.path).partition("?")[0]
    host = request.header("host") or ""
    is_text = _is_text(request.header("content-type"))
    now = time.time()
    context: dict[str, Any] = {
        "accountId": ACCOUNT,
        "apiId": API_ID,
        "domainName": host,
        "domainPrefix": host.partition(".")[0],
        "http": {
            "method": request.method,
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": request.client,
            "userAgent": request.header("user-agent") or "",
        },
        "requestId": request_id,
        "routeKey": route_key,
        "stage": "$default",
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "timeEpoch": int(now * 1000),
    }
    if identity is not None:
        jwt = {"claims": dict(identity.claims), "scopes": list(identity.scopes) or None}
        context["authorizer"] = {"jwt": jwt}
    made: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": request.query,
        "headers": _headers(request),
        "requestContext": context,
        "isBase64Encoded": False,
    }
    if cookies := request.header("cookie"):
        made["cookies"] = [cookie.strip() for cookie in cookies.split(";")]
    if query := _joined(parse_qsl(request.query, keep_blank_values=True)):
        made["queryStringParameters"] = query
    if parameters:
        made["pathParameters"] = dict(parameters)
    if request.body:
        made["isBase64Encoded"] = not is_text
        made["body"] = request.body.decode(errors="replace") if is_text else _base64(request.body)
    return made


def _headers(request: Request) -> dict[str, str]:
    port = (request.header("host") or "").rpartition(":")[2]
    forwarded = {
        "x-forwarded-for": request.client,
        "x-forwarded-port": port,
        "x-forwarded-proto": request.scheme,
        "x-amzn-trace-id": f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}",
    }
    return _joined((key, value) for key, value in request.headers if key not in _HOP_BY_HOP) | forwarded


def _joined(pairs: Any) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _is_text(content_type: str | None) -> bool:
    """What the gateway hands on as text: these types only, not forms, and nothing without a type."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    return kind.startswith("text/") or kind in {
        "application/json",
        "application/javascript",
        "application/xml",
    }


def _base64(body: bytes) -> str:
    return base64.b64encode(body).decode()


def response(payload: bytes) -> Response:
    """Raises InvalidResult."""
    try:
        result = json.loads(payload)
    except ValueError:
        raise InvalidResult from None
    if not isinstance(result, dict) or "statusCode" not in result:
        text = result if isinstance(result, str) else json.dumps(result)
        return Response(200, (("content-type", "application/json"),), text.encode())
    body = result.get("body") or ""
    if not isinstance(body, str):
        raise InvalidResult
    headers = {name.lower(): str(value) for name, value in (result.get("headers") or {}).items()}
    headers.setdefault("content-type", "text/plain;charset=utf-8")
    cookies = [("set-cookie", cookie) for cookie in result.get("cookies") or ()]
    try:
        content = base64.b64decode(body, validate=True) if result.get("isBase64Encoded") else body.encode()
        return Response(int(result["statusCode"]), (*headers.items(), *cookies), content)
    except (binascii.Error, TypeError, ValueError):
        raise InvalidResult from None
