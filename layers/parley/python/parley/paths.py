"""Paths with a user's id in them, which may hold anything: `/`, `%`, or nothing but dots."""

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

from starlette.types import Scope

# What stays encoded within a segment, so that routes match.
_RESERVED = str.maketrans({"%": "%25", "/": "%2F"})
_VARIABLE = re.compile(r"{(\w+)(\+?)}")


def user_path(user_id: str) -> str:
    """The user's part of the API, as a client has to spell it."""
    segment = quote(user_id, safe="")
    # Clients resolve a segment of dots as in a file's path.
    return "/api/" + (segment if user_id.strip(".") else segment.replace(".", "%2E"))


def routed_path(scope: Scope) -> str:
    """The path as routes match it: decoded, but for `/` and `%` within a segment."""
    event = scope.get("aws.event", {})
    if parameters := event.get("pathParameters"):
        # API Gateway decodes the path as a whole, and Mangum decodes it again. Parameters are decoded once.
        route: str = event["routeKey"].partition(" ")[2]
        return _VARIABLE.sub(lambda variable: _value(parameters, *variable.groups()), route)
    if raw_path := scope.get("raw_path"):
        segments = raw_path.decode("latin-1").split("/")
        return "/".join(unquote(segment).translate(_RESERVED) for segment in segments)
    return str(scope["path"])


def _value(parameters: Mapping[str, str], name: str, greedy: str) -> str:
    value = parameters[name].translate(_RESERVED)
    return value.replace("%2F", "/") if greedy else value
