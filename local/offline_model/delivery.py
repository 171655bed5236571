"""Sends an answer, at the pace and with the faults that were commanded."""

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from starlette.types import Receive, Scope, Send

from local.offline_model.commands import Commands
from local.offline_model.prompt import Json
from local.offline_model.wire import Event

HTML = b"<!doctype html><title>Bad gateway</title><h1>Something in between is broken</h1>"


@dataclass
class LoggedRequest:
    """`outcome` says how it ended: `left` is a client that went away."""

    path: str
    body: Json
    commands: str
    at: float = field(default_factory=time.time)
    outcome: Literal["answered", "refused", "cut", "left"] | None = None


class _LeftError(Exception):
    pass


class _CutError(Exception):
    pass


class Delivery:
    """An ASGI response. It returns without completing itself where the connection is to be cut."""

    def __init__(
        self, content: Json | Iterable[Event], commands: Commands, word_delay_s: float, logged: LoggedRequest
    ) -> None:
        self._content = content
        self._commands = commands
        self._word_delay_s = word_delay_s if commands.word is None else commands.word / 1000
        self._logged = logged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._send = send
        self._left = asyncio.ensure_future(_disconnected(receive))
        try:
            await self._deliver()
            self._logged.outcome = "answered"
        except _LeftError:
            self._logged.outcome = "left"
        except _CutError:
            self._logged.outcome = "cut"
        finally:
            self._left.cancel()

    async def _deliver(self) -> None:
        await self._pause(self._commands.slow)
        if self._commands.hang == 0:
            await self._pause(None)
        if self._commands.rubbish == "html":
            await self._start({"content-type": "text/html"})
            await self._body(HTML, more=False)
        elif isinstance(self._content, dict):
            await self._deliver_whole(self._content)
        else:
            await self._deliver_events(self._content)

    async def _deliver_whole(self, content: Json) -> None:
        body = json.dumps(content).encode()
        if self._commands.hang is not None:
            await self._pause(None)
        if self._commands.rubbish == "json":
            body = body[: len(body) // 2]
        await self._start({"content-type": "application/json", "content-length": str(len(body))})
        if self._commands.cut is not None:
            await self._body(body[: len(body) // 2])
            raise _CutError
        await self._body(body, more=False)

    async def _deliver_events(self, events: Iterable[Event]) -> None:
        await self._start({"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"})
        for number, event in enumerate(events):
            if number == self._commands.cut:
                raise _CutError
            if number == self._commands.hang:
                await self._pause(None)
            await self._body(event.encode(broken=self._commands.rubbish == "json" and number > 2))
            await self._pause(self._word_delay_s if event.is_word else 0)
        await self._body(b"", more=False)

    async def _start(self, headers: Mapping[str, str]) -> None:
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": 200, "headers": raw})

    async def _body(self, body: bytes, *, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def _pause(self, seconds: float | None) -> None:
        """Waits, for ever if need be, but no longer than the client does."""
        if seconds != 0:
            await asyncio.wait({self._left}, timeout=seconds)
        if self._left.done():
            raise _LeftError


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
