"""Payload format 2.0: an HTTP request as an event, and a function's result as an HTTP response.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import json
import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.aws.authorizer import Identity
from local.aws.template import ACCOUNT

API_ID = "local"
# The gateway does not pass these on.
_DROPPED = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "cookie"}
# Besides text/*. Forms, and bodies without a type, are passed on as base64.
_TEXT_TYPES = {"application/json", "application/javascript", "application/xml"}


class InvalidResult(Exception):
    """The function's result is not a response."""


def message(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """One of the gateway's own answers."""
    return JSONResponse({"message": text}, status, headers)


def new_request_id() -> str:
    return base64.b64encode(secrets.token_bytes(11)).decode()


def raw_path(request: Request) -> str:
    """The path as the client sent it, percent-encoded."""
    return bytes(request.scope["raw_path"]).decode("latin-1")


def raw_query(request: Request) -> str:
    return bytes(request.scope["query_string"]).decode("latin-1")


def header(request: Request, name: str) -> str | None:
    return ",".join(request.headers.getlist(name)) or None


def event(
    request: Request, body: bytes, context: dict[str, Any], parameters: Mapping[str, str]
) -> dict[str, Any]:
    raw = raw_query(request)
    made: dict[str, Any] = {
        "version": "2.0",
        "routeKey": context["routeKey"],
        "rawPath": context["http"]["path"],
        "rawQueryString": raw,
        "headers": _headers(request),
        "requestContext": context,
        "isBase64Encoded": False,
    }
    if cookies := header(request, "cookie"):
        made["cookies"] = [cookie.strip() for cookie in cookies.split(";")]
    if query := _joined(parse_qsl(raw, keep_blank_values=True)):
        made["queryStringParameters"] = query
    if parameters:
        made["pathParameters"] = dict(parameters)
    if body:
        is_text = _is_text(request.headers.get("content-type", ""))
        made["isBase64Encoded"] = not is_text
        made["body"] = body.decode(errors="replace") if is_text else base64.b64encode(body).decode()
    return made


def request_context(
    request: Request, request_id: str, route_key: str, identity: Identity | None
) -> dict[str, Any]:
    host = request.headers.get("host", "")
    now = time.time()
    context: dict[str, Any] = {
        "accountId": ACCOUNT,
        "apiId": API_ID,
        "domainName": host,
        "domainPrefix": host.partition(".")[0],
        "http": {
            "method": request.method,
            # The gateway decodes the path and then cuts it at the first question mark.
            "path": unquote(raw_path(request)).partition("?")[0],
            "protocol": "HTTP/1.1",
            "sourceIp": _client(request),
            "userAgent": request.headers.get("user-agent", ""),
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
    return context


def response(payload: bytes) -> Response:
    """Raises InvalidResult."""
    try:
        result = json.loads(payload)
        if not isinstance(result, dict) or "statusCode" not in result:
            text = result if isinstance(result, str) else json.dumps(result)
            return Response(text, media_type="application/json")
        body = (result.get("body") or "").encode()
        headers = {name.lower(): str(value) for name, value in (result.get("headers") or {}).items()}
        headers.pop("content-length", None)
        headers.setdefault("content-type", "text/plain;charset=utf-8")
        content = base64.b64decode(body, validate=True) if result.get("isBase64Encoded") else body
        made = Response(content, int(result["statusCode"]), headers)
        for cookie in result.get("cookies") or ():
            made.headers.append("set-cookie", cookie)
    except (AttributeError, TypeError, ValueError):
        raise InvalidResult from None
    return made


def _client(request: Request) -> str:
    return request.client.host if request.client else ""


def _headers(request: Request) -> dict[str, str]:
    added = {
        "x-forwarded-for": _client(request),
        "x-forwarded-port": request.headers.get("host", "").rpartition(":")[2],
        "x-forwarded-proto": request.scope["scheme"],
        "x-amzn-trace-id": f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}",
    }
    return _joined(pair for pair in request.headers.items() if pair[0] not in _DROPPED) | added


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _is_text(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("text/") or kind in _TEXT_TYPES
