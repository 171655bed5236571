"""Where a schedule can crash_point: before, in the middle of and after a statement, or the model's answer.

A proxy that knows the protocol stands between worker and PostgreSQL: it carries one statement at a time,
whole, and waits for the whole reply, so that "after" means that the server has committed.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.types import Message, Receive, Scope, Send

from local.offline_model.app import create_app
from local.serving import listen
from tests.crash.workers import Worker

Where = Literal["begin", "checkpoint", "end", "model"]
# A statement: not sent; done, but the worker has no reply; the worker has the reply. The model's answer:
# not begun; in its middle; sent.
When = Literal["before", "after", "replied"]
How = Literal["kill", "cut", "stop"]

FAILS_ONCE = "that fails once"
PARTS_BEFORE_THE_MIDDLE = 4

_SYNC = b"S\x00\x00\x00\x04"
_STARTED = re.compile(rb'"outcome": "started"')
_QUESTION = re.compile(r"question-\d+")
_SASL_DONE = (0, 12)
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Cut(Exception):
    """The connection at hand breaks here."""


@dataclass
class Fault:
    """Strikes once, when its boundary is reached for the `nth` time."""

    where: Where
    when: When
    how: How
    nth: int = 1
    struck: asyncio.Event = field(default_factory=asyncio.Event, compare=False)
    woken: asyncio.Event = field(default_factory=asyncio.Event, compare=False)

    def __str__(self) -> str:
        return f"{self.how} {self.when} {self.where} {self.nth}"


class FaultInjector:
    """Decides at each boundary whether to fail, and counts what happened to each question."""

    def __init__(self) -> None:
        self.trace: Callable[[str], None] = lambda _: None
        self.worker: Worker | None = None
        self.begins: Counter[str] = Counter()
        self.model_calls: Counter[str] = Counter()
        self._fault: Fault | None = None
        self._seen = 0

    def begin(self, trace: Callable[[str], None]) -> None:
        """A new schedule, of which nothing has happened yet."""
        self.trace = trace
        self.worker = None
        self.begins.clear()
        self.model_calls.clear()
        self.arm(None)

    def arm(self, fault: Fault | None) -> None:
        self._fault, self._seen = fault, 0

    async def reach(self, where: str, when: When) -> None:
        """Returns when the worker may go on. Raises Cut."""
        fault = self._fault
        if fault is None or (where, when) != (fault.where, fault.when):
            return
        self._seen += 1
        if self._seen < fault.nth:
            return
        self.arm(None)
        assert self.worker is not None
        self.trace(f"  struck: {fault}")
        if fault.how == "stop":
            self.worker.stop()
            fault.struck.set()
            await fault.woken.wait()
            return
        if fault.how == "kill":
            await self.worker.kill()
        fault.struck.set()
        raise Cut


class StatementProxy:
    """Between a worker and PostgreSQL."""

    def __init__(self, faults: FaultInjector, upstream_port: int) -> None:
        self._faults = faults
        self._upstream_port = upstream_port
        self._carrying: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[int]:
        listener = listen()
        server = await asyncio.start_server(self._accept, sock=listener)
        try:
            yield listener.getsockname()[1]
        finally:
            server.close()
            for task in list(self._carrying):
                task.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        with suppress(Cut, OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._carry(reader, writer, up_reader, up_writer)
        writer.close()
        up_writer.close()

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
    ) -> None:
        while request := await self._read_request(reader):
            where = _where(request)
            await self._faults.reach(where, "before")
            up_writer.write(request)
            if request[:1] == b"X":
                return
            reply = await self._read_reply(up_reader)
            self._count(where, reply)
            await self._faults.reach(where, "after")
            writer.write(reply)
            await writer.drain()
            await self._faults.reach(where, "replied")

    def _count(self, where: str, reply: bytes) -> None:
        if where == "begin" and _STARTED.search(reply):
            self._faults.begins[question_in(reply.decode(errors="replace").split('"question":')[1])] += 1
        if where != "other":
            self._faults.trace(f"  {where}")

    async def _read_request(self, reader: asyncio.StreamReader) -> bytes:
        """One flush of the client: a statement up to its Sync, or a step of the connecting."""
        request = await reader.read(65_536)
        while request[:1] == b"P" and not request.endswith(_SYNC):
            request += await reader.readexactly(1) + await reader.read(65_536)
        return request

    async def _read_reply(self, reader: asyncio.StreamReader) -> bytes:
        """Everything up to where the server waits for the client again."""
        reply = b""
        while True:
            head = await reader.readexactly(5)
            body = await reader.readexactly(int.from_bytes(head[1:]) - 4)
            reply += head + body
            if head[:1] == b"Z" or (head[:1] == b"R" and int.from_bytes(body[:4]) not in _SASL_DONE):
                return reply


class PostProxy(StatementProxy):
    """Between a worker and Neon, where a statement is one request and one reply of HTTP."""

    async def _read_request(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        length = _CONTENT_LENGTH.search(head)
        assert length
        return head + await reader.readexactly(int(length[1]))

    async def _read_reply(self, reader: asyncio.StreamReader) -> bytes:
        return await self._read_request(reader)

    def _count(self, where: str, reply: bytes) -> None:
        # JSON within JSON.
        super()._count(where, reply.replace(b'\\"', b'"'))


def _where(request: bytes) -> str:
    if b"select begin_turn(" in request:
        return "begin"
    if b"m.status as was" in request:
        return "end"
    if b"returning cancel_requested" in request:
        return "checkpoint"
    return "other"


class CountingModel:
    """The offline model, each of whose answers differs from every other, so that no two runs look alike."""

    def __init__(self, faults: FaultInjector) -> None:
        self._faults = faults
        self._model = create_app()
        self._answers = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = json.loads(await _read_body(receive))
        self._number(body["input"][-1])
        parts = 0

        async def send_counted(message: Message) -> None:
            nonlocal parts
            parts += message["type"] == "http.response.body"
            await send(message)
            if parts == PARTS_BEFORE_THE_MIDDLE:
                await self._faults.reach("model", "after")

        with suppress(Cut):
            await self._faults.reach("model", "before")
            await self._answer(scope, json.dumps(body).encode(), receive, send_counted)
            await self._faults.reach("model", "replied")

    async def _answer(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        rest = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive_changed() -> Message:
            return next(rest, None) or await receive()

        await self._model(scope, receive_changed, send)

    def _number(self, last: dict[str, Any]) -> None:
        """Have the answer carry a number of its own; a question that is to fail does so the first time."""
        text = str(last["content"])
        question = question_in(text)
        self._answers += 1
        self._faults.model_calls[question] += 1
        commands, _, rest = text.rpartition("] ")
        if FAILS_ONCE in rest and self._faults.model_calls[question] == 1:
            commands = "[offline: status=400"
        last["content"] = f"{commands and commands + '] '}Say exactly: answer {self._answers} to {rest}"


def question_in(text: str) -> str:
    found = _QUESTION.search(text)
    return found[0] if found else "?"


async def _read_body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body
