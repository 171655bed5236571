"""The cursors of pages: sort keys, opaque to clients."""

import base64
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from parley.errors import Unprocessable

Key = TypeVar("Key")


class Cursor(Generic[Key]):
    """The cursor that clients send as the query parameter `parameter`, holding a key of type `kind`."""

    def __init__(self, parameter: str, kind: Any) -> None:
        self._parameter = parameter
        self._key: TypeAdapter[Key] = TypeAdapter(kind)

    def encode(self, key: Key | None) -> str | None:
        if key is None:
            return None
        return base64.urlsafe_b64encode(self._key.dump_json(key)).rstrip(b"=").decode()

    def decode(self, cursor: str | None) -> Key | None:
        """Raises Unprocessable for a cursor that `encode` did not make."""
        if cursor is None:
            return None
        try:
            return self._key.validate_json(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        except ValueError:
            detail = "This is not a cursor that the API gave."
            raise Unprocessable([{"pointer": f"/query/{self._parameter}", "detail": detail}]) from None
