"""Keyset pages: a cursor is the sort key of a page's last row, so every page costs the same."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from parley.errors import Unprocessable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    data: Sequence[T]
    next_cursor: str | None


def encode_cursor(*key: object) -> str:
    return base64.urlsafe_b64encode(json.dumps([str(part) for part in key]).encode()).rstrip(b"=").decode()


def decode_cursor(parameter: str, cursor: str, *kinds: Callable[[str], Any]) -> tuple[Any, ...]:
    """The key that `encode_cursor` was given, each part read by its kind. Raises Unprocessable."""
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return tuple(kind(part) for kind, part in zip(kinds, parts, strict=True))
    except (ValueError, TypeError, RecursionError):
        detail = "This is not a cursor that the API gave."
        raise Unprocessable([{"pointer": f"/query/{parameter}", "detail": detail}]) from None
