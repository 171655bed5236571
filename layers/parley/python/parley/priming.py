"""What a first request would do for the first time, done while the environment starts.

Lambda gives a whole processor then, and a snapshot keeps the result. Most of it are schemas that pydantic
builds when they are first used; in the first turn they would cost 0.6 s of CPU. Nothing leaves this process:
the model is a server on loopback, requests have no token and so never reach the database, and nothing stays
open.
"""

import asyncio
import gc
import json
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import anyio.to_thread
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from pg8000.converters import timestamptz_in
from pydantic import SecretStr
from starlette.types import Message

from parley.api.dependencies import ChatServices
from parley.config import Settings
from parley.logs import describe_error, request_id

logger = logging.getLogger(__name__)

# An environment has 10 s to start.
PATIENCE_S = 8


def prime(app: FastAPI) -> None:
    """Rehearse what `app` does. What fails is only logged: the first request is slower then."""
    prime_routes(app)
    # In a thread of its own, whose event loop is nobody else's: Mangum and uvicorn have theirs.
    thread = threading.Thread(target=_rehearse, args=(app,))
    thread.start()
    thread.join()
    # What is there now stays: the garbage collector need not look at a million objects again and again.
    gc.collect()
    gc.freeze()


def prime_routes(app: FastAPI) -> None:
    """Make what FastAPI makes of the routes when they are first asked for."""
    for _ in iter_route_contexts(app.routes):
        pass


def _rehearse(app: FastAPI) -> None:
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        asyncio.run(asyncio.wait_for(_rehearse_all(app), PATIENCE_S))
    except Exception as error:
        logger.warning("priming_failed", extra=describe_error(error))
    finally:
        logging.disable(before)


async def _rehearse_all(app: FastAPI) -> None:
    # Threads of both kinds, and how pg8000 reads a time.
    await asyncio.to_thread(timestamptz_in, datetime.now(UTC).isoformat())
    await anyio.to_thread.run_sync(timestamptz_in, datetime.now(UTC).isoformat())
    # Counted as part of another request, which is not there.
    request_id.set("priming")
    for route in iter_route_contexts(app.routes):
        if route.path and route.path.startswith("/api/{user_id}"):
            for method in route.methods or ():
                await _request(app, method, route.path)
    if isinstance(app.state.services, ChatServices):
        await _rehearse_turn(app.state.services.settings)


async def _request(app: FastAPI, method: str, path: str) -> None:
    """A request without a token, refused as soon as the app knows whose it would be."""
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"content-type", b"application/json")],
        "client": None,
        "server": ("priming", 80),
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(_: Message) -> None:
        pass

    await app(scope, receive, send)


async def _rehearse_turn(settings: Settings) -> None:
    """A turn with a tool call, by the real client, of a model that reads its answers from here."""
    # Imported here: the light function never imports the Agents SDK.
    from agents import Agent, function_tool  # noqa: PLC0415

    from parley.services.agent_service import AgentOutput, AgentService  # noqa: PLC0415
    from parley.tools.bounds import bounded  # noqa: PLC0415

    @function_tool
    def rehearse(text: str) -> str:
        """Return the text."""
        return text

    model = _responses if settings.openai_api == "responses" else _chat_completions
    answers = model(settings.models[0])
    server = await asyncio.start_server(partial(_answer, answers), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        changes = {"openai_base_url": f"http://127.0.0.1:{port}", "openai_api_key": SecretStr("none")}
        service = AgentService(settings.model_copy(update=changes))
        agent = bounded(Agent[Any](name="Rehearsal", instructions="Rehearse.", tools=[rehearse]))
        async for _ in service.stream(agent, [{"role": "user", "content": "Begin."}], AgentOutput()):
            pass
        await service.close()


async def _answer(
    answers: Iterator[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.split(b":")[1]))
    body = next(answers)
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n"
        b"content-length: %d\r\n\r\n%b" % (len(body), body)
    )
    await writer.drain()
    writer.close()


def _responses(model: str) -> Iterator[bytes]:
    """Two answers in the Responses API's protocol: a tool call, and a text."""
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "rehearse"}
    call |= {"arguments": '{"text": "Yes."}', "status": "completed"}
    at: dict[str, Any] = {"item_id": "fc_1", "output_index": 0}
    steps = [
        ("response.function_call_arguments.delta", {"delta": call["arguments"], **at}),
        ("response.function_call_arguments.done", {"arguments": call["arguments"], "name": "rehearse", **at}),
    ]
    yield _response(model, call, call | {"arguments": ""}, steps)
    part: dict[str, Any] = {"type": "output_text", "text": "Yes.", "annotations": [], "logprobs": []}
    text: dict[str, Any] = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    steps = [
        ("response.content_part.added", {"part": part | {"text": ""}, **at}),
        ("response.output_text.delta", {"delta": "Yes.", "logprobs": [], **at}),
        ("response.output_text.done", {"text": "Yes.", "logprobs": [], **at}),
        ("response.content_part.done", {"part": part, **at}),
    ]
    yield _response(model, text | {"content": [part]}, text | {"content": []}, steps)


def _response(model: str, item: dict[str, Any], begun: dict[str, Any], steps: list[Any]) -> bytes:
    response = {
        "id": "resp_1",
        "object": "response",
        "created_at": 0,
        "model": model,
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "status": "in_progress",
    }
    usage = {
        "input_tokens": 1,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 1,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 2,
    }
    ended = response | {"status": "completed", "output": [item], "usage": usage}
    events = [
        ("response.created", {"response": response}),
        ("response.in_progress", {"response": response}),
        ("response.output_item.added", {"item": begun | {"status": "in_progress"}, "output_index": 0}),
        *steps,
        ("response.output_item.done", {"item": item, "output_index": 0}),
        ("response.completed", {"response": ended}),
    ]
    return b"".join(
        b"event: %b\ndata: %b\n\n"
        % (kind.encode(), json.dumps({"type": kind, "sequence_number": number, **data}).encode())
        for number, (kind, data) in enumerate(events)
    )


def _chat_completions(model: str) -> Iterator[bytes]:
    """The same in the protocol of Chat Completions."""
    function = {"name": "rehearse", "arguments": '{"text": "Yes."}'}
    yield _chunks(
        model, {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}
    )
    yield _chunks(model, {"content": "Yes."})


def _chunks(model: str, delta: dict[str, Any]) -> bytes:
    chunk = {"id": "chatcmpl_1", "object": "chat.completion.chunk", "created": 0, "model": model}
    reason = "tool_calls" if "tool_calls" in delta else "stop"
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    events = [
        chunk | {"choices": [{"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": None}]},
        chunk | {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]},
        chunk | {"choices": [], "usage": usage},
    ]
    return b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events) + b"data: [DONE]\n\n"
