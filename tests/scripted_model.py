"""A model server that says what a test tells it to, in the protocol in which it is asked.

A test writes a `Script` under a word, and uses that word in the conversation's messages.
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.serving import serve_in_thread

Json = dict[str, Any]


@dataclass(frozen=True)
class Said:
    """An answer as a stream. `reason`: as Chat Completions calls it; without one, the stream breaks off.

    `calls`: names and arguments. `refusal`: said in a part of its own. `error`: told when all else is said.
    """

    deltas: tuple[str, ...] = ()
    reason: str | None = "stop"
    calls: tuple[tuple[str, str], ...] = ()
    refusal: str = ""
    error: Any = None
    usage: tuple[int, int] | None = (70, 30)

    @classmethod
    def text(cls, text: str, **others: Any) -> "Said":
        return cls((text,), **others)


@dataclass(frozen=True)
class Failed:
    """An answer by HTTP status."""

    status: int
    error: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Compressed:
    """An answer whose body is compressed, by zlib's name for `encoding`; or bytes in place of an answer."""

    said: "Said | Failed | bytes"
    encoding: Literal["gzip", "deflate", "gzip, gzip"] = "gzip"
    status: int = 200


Answer = Said | Failed | Compressed


@dataclass
class Script:
    """`answers`: to one question after the other; the last is given again. `asked`: the requests' bodies."""

    answers: list[Answer]
    title: Answer = Said(("A title",))
    summary: Answer = Said(("A summary of what was said, in some twenty words.",))
    asked: dict[str, list[Json]] = field(default_factory=lambda: {"answer": [], "title": [], "summary": []})

    def play(self, body: Json) -> Answer:
        instructions = str(body.get("instructions") or body.get("messages"))
        tasks = {"title": "Write a title for", "summary": "Write a summary of"}
        kind = next((kind for kind, task in tasks.items() if task in instructions), "answer")
        self.asked[kind].append(body)
        if kind == "answer":
            return self.answers[min(len(self.asked[kind]), len(self.answers)) - 1]
        return self.title if kind == "title" else self.summary


class ScriptedModel:
    def __init__(self) -> None:
        self.scripts: dict[str, Script] = {}

    def app(self) -> Starlette:
        routes = [
            Route("/v1/chat/completions", self._answer, methods=["POST"]),
            Route("/v1/responses", self._answer, methods=["POST"]),
        ]
        return Starlette(routes=routes)

    async def _answer(self, request: Request) -> Response:
        content = (await request.body()).decode()
        (script,) = (script for word, script in self.scripts.items() if word in content)
        answer = script.play(json.loads(content))
        is_chat = request.url.path.endswith("completions")
        if not isinstance(answer, Compressed):
            return response_of(answer, is_chat)
        if isinstance(answer.said, bytes):
            response = Response(answer.said, answer.status, media_type="text/event-stream")
        else:
            response = response_of(answer.said, is_chat)
        body = bytes(response.body)
        for encoding in answer.encoding.split(", "):
            body = gzip.compress(body, 1) if encoding == "gzip" else zlib.compress(body)
        headers = {"content-encoding": answer.encoding} | dict(response.headers)
        del headers["content-length"]
        return Response(body, response.status_code, headers)


def response_of(answer: Said | Failed, is_chat: bool) -> Response:
    if isinstance(answer, Failed):
        body = json.dumps({"error": answer.error})
        return Response(body, answer.status, answer.headers, "application/json")
    events = list(chat_events(answer) if is_chat else events_of(answer))
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    return Response(body, media_type="text/event-stream")


def chat_events(said: Said) -> Iterator[Json]:
    def chunk(delta: Json, reason: str | None = None) -> Json:
        return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    for delta in said.deltas:
        yield chunk({"content": delta})
    if said.refusal:
        yield chunk({"refusal": said.refusal})
    for index, (name, arguments) in enumerate(said.calls):
        function = {"name": name, "arguments": arguments}
        yield chunk({"tool_calls": [{"index": index, "id": f"call_{index}", "function": function}]})
    if said.error is not None:
        yield {"error": said.error}
    elif said.reason is not None:
        yield chunk({}, "tool_calls" if said.calls and said.reason == "stop" else said.reason)
        if said.usage:
            read, written = said.usage
            yield {"choices": [], "usage": {"prompt_tokens": read, "completion_tokens": written}}


def events_of(said: Said) -> Iterator[Json]:
    """In the Responses API."""
    output: list[Json] = []
    for delta in said.deltas:
        yield {"type": "response.output_text.delta", "item_id": "m", "delta": delta}
    if said.deltas:
        output.append(message({"type": "output_text", "text": joined(said.deltas)}))
    if said.refusal:
        yield {"type": "response.refusal.delta", "item_id": "r", "delta": said.refusal}
        output.append(message({"type": "refusal", "refusal": said.refusal}))
    for index, (name, arguments) in enumerate(said.calls):
        call = {"type": "function_call", "id": f"fc_{index}", "call_id": f"call_{index}"}
        output.append(call | {"name": name, "arguments": arguments})
        yield {"type": "response.output_item.done", "item": output[-1]}
    usage = dict(zip(("input_tokens", "output_tokens"), said.usage, strict=True)) if said.usage else None
    response: Json = {"id": "r", "output": output, "usage": usage}
    if said.error is not None:
        yield {"type": "response.failed", "response": response | {"status": "failed", "error": said.error}}
    elif said.reason == "stop":
        yield {"type": "response.completed", "response": response | {"status": "completed"}}
    elif said.reason is not None:
        reason = {"length": "max_output_tokens"}.get(said.reason, said.reason)
        details = {"status": "incomplete", "incomplete_details": {"reason": reason}}
        yield {"type": "response.incomplete", "response": response | details}


def message(part: Json) -> Json:
    return {"type": "message", "id": "m", "role": "assistant", "content": [part]}


def joined(deltas: tuple[str, ...]) -> str:
    return "".join(deltas).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@contextmanager
def serve_scripted_model() -> Iterator[tuple[str, ScriptedModel]]:
    """Its base URL and the model, served from a thread."""
    model = ScriptedModel()
    with serve_in_thread(lambda _: model.app()) as url:
        yield f"{url}/v1", model
