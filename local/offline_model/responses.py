"""The Responses protocol."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

from local.offline_model.prompt import BadRequestError, Entry, Json, Prompt, Reply, ToolCall, text_of
from local.offline_model.tokens import Usage
from local.offline_model.wire import STREAM_ERROR, Event, Protocol, argument_pieces, words


def read(body: Json) -> Prompt:
    if body.get("previous_response_id") or body.get("conversation"):
        raise BadRequestError("The offline model keeps nothing: send the whole conversation as input.")
    given = body.get("input")
    items: list[Any] = [{"role": "user", "content": given}] if isinstance(given, str) else given or []
    entries: list[Entry] = []
    instructions = [body.get("instructions") or ""]
    for item in items:
        match item:
            case {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}:
                entries.append(Entry("call", arguments, call_id, name))
            case {"type": "function_call_output", "call_id": call_id, "output": output}:
                entries.append(Entry("output", text_of(output), call_id))
            case {"role": "user" | "assistant" as role, "content": content}:
                entries.append(Entry(role, text_of(content)))
            case {"role": "system" | "developer", "content": content}:
                instructions.append(text_of(content))
            case {"type": str()}:
                pass  # reasoning and the like
            case _:
                raise BadRequestError(f"Invalid value in 'input': {item!r:.200}")
    functions = [tool for tool in body.get("tools") or [] if tool.get("type") == "function"]
    tools = {tool["name"]: tool.get("parameters") or {} for tool in functions}
    return Prompt("\n".join(filter(None, instructions)), entries, tools)


def whole(body: Json, reply: Reply, usage: Usage) -> Json:
    return _response(body) | _ending(reply, _items(reply), usage)


def events(body: Json, reply: Reply, usage: Usage) -> Iterator[Event]:
    for number, (kind, data) in enumerate(_steps(body, reply, usage)):
        is_word = kind in {"response.output_text.delta", "response.refusal.delta"}
        yield Event({"type": kind, "sequence_number": number, **data}, name=kind, is_word=is_word)


RESPONSES = Protocol(read, whole, events)

Step = tuple[str, Json]


def _steps(body: Json, reply: Reply, usage: Usage) -> Iterator[Step]:
    response = _response(body)
    output = _items(reply)
    yield "response.created", {"response": response}
    yield "response.in_progress", {"response": response}
    for index, item in enumerate(output):
        started: Json = {"content": []} if item["type"] == "message" else {"arguments": ""}
        added = item | {"status": "in_progress"} | started
        yield "response.output_item.added", {"output_index": index, "item": added}
        at = {"item_id": item["id"], "output_index": index}
        yield from _message_steps(item, at, reply) if item["type"] == "message" else _call_steps(item, at)
        if not reply.error:
            yield "response.output_item.done", {"output_index": index, "item": item}
    ended = response | _ending(reply, output, usage)
    yield f"response.{ended['status']}", {"response": ended}


def _message_steps(item: Json, at: Json, reply: Reply) -> Iterator[Step]:
    [part] = item["content"]
    kind = f"response.{part['type']}"
    field = "refusal" if reply.refusal else "text"
    at = at | {"content_index": 0}
    extra: Json = {} if reply.refusal else {"logprobs": []}
    yield "response.content_part.added", {"part": part | {field: ""}, **at}
    for word in words(part[field]):
        yield f"{kind}.delta", {"delta": word, **extra, **at}
    if not reply.error:
        yield f"{kind}.done", {field: part[field], **extra, **at}
        yield "response.content_part.done", {"part": part, **at}


def _call_steps(item: Json, at: Json) -> Iterator[Step]:
    name, arguments = item["name"], item["arguments"]
    for piece in argument_pieces(arguments):
        yield "response.function_call_arguments.delta", {"delta": piece, **at}
    yield "response.function_call_arguments.done", {"name": name, "arguments": arguments, **at}


def _items(reply: Reply) -> list[Json]:
    items = [_call_item(call) for call in reply.tool_calls]
    if reply.text or reply.refusal:
        items.insert(0, _message_item(reply))
    return items


def _message_item(reply: Reply) -> Json:
    part = (
        {"type": "refusal", "refusal": reply.refusal}
        if reply.refusal
        else {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
    )
    status = "incomplete" if reply.incomplete or reply.error else "completed"
    return {"type": "message", "id": _id("msg"), "role": "assistant", "status": status, "content": [part]}


def _call_item(call: ToolCall) -> Json:
    return {
        "type": "function_call",
        "id": _id("fc"),
        "call_id": _id("call"),
        "name": call.name,
        "arguments": call.arguments,
        "status": "completed",
    }


def _response(body: Json) -> Json:
    echoed = ("instructions", "metadata", "temperature", "top_p", "max_output_tokens", "prompt_cache_key")
    return {
        "id": _id("resp"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": body["model"],
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "store": body.get("store", True),
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "usage": None,
        **{name: body.get(name) for name in echoed},
    }


def _ending(reply: Reply, output: list[Json], usage: Usage) -> Json:
    if reply.error:
        return {"status": "failed", "error": {"code": reply.error, "message": STREAM_ERROR}}
    tokens = {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
    details = {"reason": reply.incomplete} if reply.incomplete else None
    status = "incomplete" if reply.incomplete else "completed"
    return {"status": status, "incomplete_details": details, "output": output, "usage": tokens}


def _id(prefix: str) -> str:
    return f"{prefix}_{uuid.uuid4().hex}"
