"""A model server that says anything, in either protocol, and takes only what the strictest provider would.

What it says is drawn from a seed in the question: `case 12` is always answered alike. To a question with the
word `sane` it answers as a model should.
"""

import asyncio
import json
import random
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from local.serving import listen

Event = dict[str, Any]

SANE = "A sane answer."
WORDS = (
    "Ahoy",
    "\n\n",
    "\u200b",
    "\x00",
    "\ud83d",
    "\ude00",
    "😀",
    "\ud800x",
    "漢字 ",
    "<b>",
    "",
    "a" * 3000,
    "\u2028",
)
NAMES: tuple[Any, ...] = (
    *("look_up", "pay", "ask", "functions.look_up", "multi_tool_use.parallel"),
    *("", "\x00", "ü" * 80, None, 7, []),
)
ARGUMENTS: tuple[Any, ...] = (
    '{"word": "x"}',
    '{"amount": 3}',
    # For an agent that is used as a tool.
    *(f'{{"input": "inner case {number}"}}' for number in range(9)),
    '{"amount": ',
    "null",
    "[]",
    "",
    '"x"',
    '{"word": "\\ud800\\u0000"}',
    '{"word": NaN}',
    "[" * 5000,
    {"word": "x"},
    None,
    7,
)
CALL_IDS: tuple[Any, ...] = ("", "call_1", "call_1", "c" * 90, "é", None, 0, "call_\x00")
NUMBERS: tuple[Any, ...] = (0, 7, -1, 10**30, 2**31, 1.5, True, None, "7", [], float("nan"), float("inf"))
VALUES: tuple[Any, ...] = (
    *(None, 0, -1, 10**30, 1.5, True, [], {}, [None], {"x": {}}),
    *("", "x", "\x00\ud800", "z" * 200_000),
)
REASONS: tuple[Any, ...] = (
    *("stop", "length", "content_filter", "tool_calls", "function_call", "unheard_of"),
    *("", None, 7, {}),
)
ERRORS: tuple[Any, ...] = (
    {"message": "x", "code": "rate_limit_exceeded"},
    {"message": "maximum context length", "type": "invalid_request_error", "code": None},
    {"message": "\x00", "code": 503},
    {"message": {"a": 1}, "code": []},
    "a text",
    ["a list"],
)
STATUSES = (400, 401, 404, 408, 409, 413, 422, 429, 500, 502, 503, 529, 302, 204)


def text_of(draw: random.Random) -> list[str]:
    return [draw.choice(WORDS) for _ in range(draw.choice((0, 1, 3, 20)))]


def usage_of(draw: random.Random, read: str, written: str) -> Any:
    drawn = {read: draw.choice(NUMBERS), written: draw.choice(NUMBERS), "total_tokens": draw.choice(NUMBERS)}
    return draw.choice((drawn, {read: 5, written: 5, "total_tokens": 10}, None, draw.choice(VALUES)))


def chat_events(draw: random.Random) -> list[Event]:
    def chunk(delta: Event, reason: Any = None) -> Event:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}

    events = [chunk({"role": "assistant", "content": ""})]
    events += [chunk({"content": word}) for word in text_of(draw)]
    for index in range(draw.choice((0, 0, 1, 2, 3))):
        function = {"name": draw.choice(NAMES), "arguments": ""}
        call = {"index": index, "id": draw.choice(CALL_IDS), "type": "function", "function": function}
        events.append(chunk({"tool_calls": [call]}))
        arguments = draw.choice(ARGUMENTS)
        half = len(arguments) // 2 if isinstance(arguments, str) else 0
        for part in (arguments[:half], arguments[half:]) if isinstance(arguments, str) else (arguments,):
            events.append(chunk({"tool_calls": [{"index": index, "function": {"arguments": part}}]}))
    events.append(chunk({}, draw.choice(REASONS)))
    usage = usage_of(draw, "prompt_tokens", "completion_tokens")
    return [*events, {**chunk({}), "choices": [], "usage": usage}]


def responses_events(draw: random.Random) -> list[Event]:
    output: list[Any] = []
    events: list[Event] = [{"type": "response.created", "response": {"id": "r", "status": "in_progress"}}]
    for index in range(draw.choice((0, 1, 1, 2, 4))):
        item = responses_item(draw, index)
        events.append({"type": "response.output_item.added", "output_index": index, "item": item})
        for word in text_of(draw) if item["type"] == "message" else ():
            item["content"][0]["text"] += word
            about = {"output_index": index, "content_index": 0, "item_id": item["id"]}
            events.append({"type": "response.output_text.delta", "delta": word, **about})
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
        output.append(item)
    kind = draw.choice(("completed", "completed", "completed", "incomplete", "failed", "cancelled"))
    response = {
        "id": "r",
        "status": kind,
        "output": draw.choice((output, output, [], None)),
        "usage": usage_of(draw, "input_tokens", "output_tokens"),
        "incomplete_details": {"reason": draw.choice(REASONS)} if kind == "incomplete" else None,
        "error": draw.choice(ERRORS) if kind == "failed" else None,
    }
    return [*events, {"type": f"response.{kind}", "response": response}]


def responses_item(draw: random.Random, index: int) -> Event:
    kind = draw.choice(("message", "message", "function_call", "function_call", "reasoning", "unheard_of"))
    item: Event = {"type": kind, "id": draw.choice((f"{kind}_{index}", "", None, "same"))}
    if kind == "message":
        part = {"type": "output_text", "text": "", "annotations": []}
        return item | {"role": "assistant", "status": "completed", "content": [part]}
    if kind == "function_call":
        names = {"name": draw.choice(NAMES), "arguments": draw.choice(ARGUMENTS)}
        return item | names | {"call_id": draw.choice(CALL_IDS)}
    if kind == "reasoning":
        return item | {
            "summary": draw.choice(([], None)),
            "encrypted_content": draw.choice(("…", None, "\x00")),
        }
    return item | {"x": draw.choice(VALUES)}


def spoiled(events: list[Event], draw: random.Random) -> list[Any]:
    """`events` with some missing, doubled, out of order, after the end, or not as they should be."""
    spoiled: list[Any] = list(events)
    for _ in range(draw.choice((0, 0, 1, 2, 5))):
        at = draw.randrange(len(spoiled)) if spoiled else 0
        match draw.randrange(7):
            case 0:
                del spoiled[at : at + 1]
            case 1:
                spoiled[at:at] = spoiled[at : at + 1]
            case 2:
                draw.shuffle(spoiled)
            case 3:
                spoiled.insert(at, draw.choice((None, 7, [], "x", {}, {"type": "unheard.of"}, {"type": 7})))
            case 4:
                spoiled.insert(at, {"error": draw.choice(ERRORS)})
            case 5:
                spoiled.append(draw.choice(events))
            case 6 if spoiled and isinstance(spoiled[at], dict):
                spoiled[at] = replaced(spoiled[at], draw)
    return spoiled


def replaced(value: Any, draw: random.Random) -> Any:
    """`value` with one part of it replaced by anything."""
    if isinstance(value, dict) and value and draw.random() < 0.8:
        name = draw.choice(list(value))
        return value | {name: replaced(value[name], draw)}
    if isinstance(value, list) and value and draw.random() < 0.8:
        at = draw.randrange(len(value))
        return [*value[:at], replaced(value[at], draw), *value[at + 1 :]]
    return draw.choice(VALUES)


def sane_events(protocol: str) -> list[Event]:
    if protocol == "chat":
        choice = {"index": 0, "delta": {"content": SANE}, "finish_reason": "stop"}
        return [{"choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 5}}]
    part = {"type": "output_text", "text": SANE, "annotations": []}
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [part]}
    usage = {"input_tokens": 5, "output_tokens": 5, "total_tokens": 10}
    response = {"id": "r", "status": "completed", "output": [message], "usage": usage}
    return [
        {"type": "response.output_text.delta", "delta": SANE, "item_id": "m"},
        {"type": "response.completed", "response": response},
    ]


def encoded(events: list[Any], draw: random.Random) -> bytes:
    line = draw.choice(("\n", "\n", "\r\n"))
    frames = [f"data: {json.dumps(event, ensure_ascii=draw.random() < 0.5)}" for event in events]
    if draw.random() < 0.8:
        frames.append("data: [DONE]")
    if draw.random() < 0.1:
        at = draw.randrange(len(frames) + 1)
        frames.insert(
            at, draw.choice((": a comment", "data: {", "event: x", "data:", "rubbish", "data: " + "[" * 9999))
        )
    body = (line + line).join(frames).encode("utf-8", "surrogatepass") + (line + line).encode()
    if draw.random() < 0.05:
        at = draw.randrange(len(body))
        body = body[:at] + draw.randbytes(9) + body[at:]
    return body


# What the strictest provider refuses, as a sentence.
def invalid(body: Event, protocol: str) -> str | None:
    items = body["messages"] if protocol == "chat" else body["input"]
    if isinstance(items, str):
        return None
    steps = list(chat_steps(items) if protocol == "chat" else responses_steps(items))
    calls: Counter[str] = Counter()
    before = "start"
    for kind, value in steps:
        if kind in ("user", "assistant") and (before == kind or not re.search(r"\w|[^\s\u200b]", value)):
            return f"a blank message, or two of {kind} in a row"
        if kind == "call":
            call_id, name, arguments = value
            calls[call_id] += 1
            if calls[call_id] > 1 or not re.fullmatch(r"[\w-]{1,64}", call_id, re.ASCII):
                return f"call id {call_id!r}"
            if not re.fullmatch(r"[\w-]{1,64}", name, re.ASCII) or not isinstance(loaded(arguments), dict):
                return f"call {name!r} with {arguments!r}"
        if kind == "output":
            if calls[value] != 1:
                return f"an output without its call, {value!r}"
            calls[value] += 100
        if kind == "user" and (before == "output" or 1 in calls.values()):
            return "a question in place of an answer"
        before = kind
    return None


def loaded(arguments: str) -> Any:
    try:
        return json.loads(arguments, parse_constant=lambda _: 1 / 0)
    except (ValueError, ZeroDivisionError, RecursionError):
        return None


def chat_steps(messages: list[Event]) -> Iterator[tuple[str, Any]]:
    for position, message in enumerate(messages):
        if message["role"] in ("system", "developer"):
            if position:
                yield "call", ("", "a second system message", "")
        elif message["role"] == "tool":
            yield "output", message["tool_call_id"]
        else:
            if message.get("content"):
                content = message["content"]
                yield message["role"], content if isinstance(content, str) else content[0]["text"]
            for call in message.get("tool_calls") or ():
                function = call["function"]
                yield "call", (call["id"], function["name"], function["arguments"])


def responses_steps(items: list[Event]) -> Iterator[tuple[str, Any]]:
    for item in items:
        match item.get("type", "message"):
            case "message":
                content = item["content"]
                yield item["role"], content if isinstance(content, str) else content[0]["text"]
            case "function_call":
                yield "call", (item["call_id"], item["name"], item["arguments"])
            case "function_call_output":
                yield "output", item["call_id"]
            case kind:
                yield kind, None


class ArbitraryModel:
    """`refused`: what it was sent that a strict provider does not take."""

    def __init__(self) -> None:
        self.refused: list[str] = []
        self._requests: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(re.search(rb"content-length: (\d+)", head.lower())[1])  # type: ignore[index]
            body = json.loads(await reader.readexactly(length))
            protocol = "chat" if b"/chat/completions" in head.split(b"\r\n")[0] else "responses"
            await self._answer(body, protocol, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, body: Event, protocol: str, writer: asyncio.StreamWriter) -> None:
        question = json.dumps((body["messages"] if protocol == "chat" else body["input"])[-12:])
        case = re.findall(r"(?:case (\d+)|(sane))", question)[-1]
        if problem := invalid(body, protocol):
            self.refused.append(f"case {case}, {protocol}: {problem}")
            await self._send(writer, 400, json.dumps({"error": {"message": problem}}).encode())
            return
        if case[1] or not body.get("tools"):
            await self._send(writer, 200, encoded(sane_events(protocol), random.Random(1)))
            return
        count = question.count('"role"')
        if "inner" not in question:
            self._requests[case[0]] += 1
            count = self._requests[case[0]]
        draw = random.Random(f"{case[0]} {count}")
        if draw.random() < 0.1:
            await self._trouble(writer, draw)
            return
        events = chat_events(draw) if protocol == "chat" else responses_events(draw)
        await self._send(writer, 200, encoded(spoiled(events, draw), draw), draw)

    async def _trouble(self, writer: asyncio.StreamWriter, draw: random.Random) -> None:
        match draw.randrange(5):
            case 0:
                await asyncio.sleep(30)
            case 1:
                return
            case 2:
                await self._send(
                    writer, 200, draw.choice((b"", b"<html>", b"{}", b"data: [DONE]\n\n", draw.randbytes(99)))
                )
            case _:
                said = draw.choice((json.dumps({"error": draw.choice(ERRORS)}), "<html>", "", "null", "[]"))
                await self._send(writer, draw.choice(STATUSES), said.encode())

    async def _send(
        self, writer: asyncio.StreamWriter, status: int, body: bytes, draw: random.Random | None = None
    ) -> None:
        kind = "text/event-stream" if status == 200 else "application/json"
        wait = "retry-after: 1\r\n" if status in (429, 503) else ""
        writer.write(
            f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n{wait}connection: close\r\n\r\n".encode()
        )
        if draw is None:
            writer.write(body)
        else:
            if draw.random() < 0.05:
                body = body[: draw.randrange(len(body) + 1)]
            at = 0
            while at < len(body):
                size = max(draw.choice((1, 7, 100, 10_000, 1_000_000)), len(body) // 200)
                writer.write(body[at : at + size])
                at += size
                await writer.drain()
            if draw.random() < 0.03:
                await asyncio.sleep(30)
        await writer.drain()


@contextmanager
def serve_arbitrary_model() -> Iterator[tuple[str, ArbitraryModel]]:
    """Its base URL and the model, served from a thread."""
    model = ArbitraryModel()
    loop: asyncio.AbstractEventLoop | None = None
    ended = asyncio.Event()

    async def serve(listener: socket.socket) -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(model.serve, sock=listener, limit=2**24)
        await ended.wait()
        server.close()

    with listen() as listener:
        thread = threading.Thread(target=asyncio.run, args=(serve(listener),))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1", model
        finally:
            assert loop is not None
            loop.call_soon_threadsafe(ended.set)
            thread.join()
