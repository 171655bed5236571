"""What one user may take of a process at once, so that something is left for the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from parley.errors import ProblemError


@dataclass(eq=False, slots=True)
class _Line:
    places: asyncio.Semaphore
    length: int = 0


class Shares:
    """Of each user, `at_once` go on at a time and `waiting` wait for them. Any more are refused."""

    def __init__(self, at_once: int, waiting: int, refusal: type[ProblemError]) -> None:
        self._at_once = at_once
        self._waiting = waiting
        self._refusal = refusal
        # Of the users who have something going on.
        self._lines: dict[str, _Line] = {}

    @asynccontextmanager
    async def hold(self, user_id: str) -> AsyncIterator[None]:
        """Raises `refusal` at once, or returns when there is a place."""
        line = self._lines.setdefault(user_id, _Line(asyncio.Semaphore(self._at_once)))
        if line.length == self._at_once + self._waiting:
            raise self._refusal
        line.length += 1
        try:
            async with line.places:
                yield
        finally:
            line.length -= 1
            if line.length == 0:
                del self._lines[user_id]
