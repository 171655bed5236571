"""Keyset pages: a page begins after the sort key of the last row before it, so every page costs the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Row = TypeVar("Row")
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row, Key]):
    """`next_key` is None on the last page."""

    data: Sequence[Row]
    next_key: Key | None
