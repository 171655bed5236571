"""The Chat Completions protocol."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

from local.offline_model.prompt import BadRequestError, Entry, Json, Prompt, Reply, text_of
from local.offline_model.tokens import Usage
from local.offline_model.wire import STREAM_ERROR, Event, Protocol, argument_pieces, words


def read(body: Json) -> Prompt:
    entries: list[Entry] = []
    instructions: list[str] = []
    for message in body.get("messages") or []:
        match message:
            case {"role": "system" | "developer", "content": content}:
                instructions.append(text_of(content))
            case {"role": "tool", "tool_call_id": call_id, "content": content}:
                entries.append(Entry("output", text_of(content), call_id))
            case {"role": "user" | "assistant" as role}:
                if text := text_of(message.get("content")):
                    entries.append(Entry(role, text))
                for call in message.get("tool_calls") or []:
                    function = call["function"]
                    entries.append(Entry("call", function["arguments"], call["id"], function["name"]))
            case _:
                raise BadRequestError(f"Invalid value in 'messages': {message!r:.200}")
    functions = [tool["function"] for tool in body.get("tools") or []]
    tools = {function["name"]: function.get("parameters") or {} for function in functions}
    return Prompt("\n".join(instructions), entries, tools)


def whole(body: Json, reply: Reply, usage: Usage) -> Json:
    if reply.error:
        return {"error": {"message": STREAM_ERROR, "code": reply.error}}
    message = {
        "role": "assistant",
        "content": reply.text or None,
        "refusal": reply.refusal or None,
        **({"tool_calls": _calls(reply)} if reply.tool_calls else {}),
    }
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(reply)}
    return _frame(body, "chat.completion") | {"choices": [choice], "usage": _tokens(usage)}


def events(body: Json, reply: Reply, usage: Usage) -> Iterator[Event]:
    frame = _frame(body, "chat.completion.chunk")
    with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    nothing_yet: Json = {"usage": None} if with_usage else {}

    def chunk(delta: Json, finish_reason: str | None = None, *, is_word: bool = False) -> Event:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return Event(frame | nothing_yet | {"choices": [choice]}, is_word=is_word)

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    field = "refusal" if reply.refusal else "content"
    for word in words(reply.refusal or reply.text):
        yield chunk({field: word}, is_word=True)
    for delta in _call_deltas(reply):
        yield chunk({"tool_calls": [delta]})
    if reply.error:
        yield Event({"error": {"message": STREAM_ERROR, "code": reply.error}})
        return
    yield chunk({}, _finish_reason(reply))
    if with_usage:
        yield Event(frame | {"choices": [], "usage": _tokens(usage)})
    yield Event("[DONE]")


CHAT_COMPLETIONS = Protocol(read, whole, events)


def _calls(reply: Reply) -> list[Json]:
    return [
        {
            "id": f"call_{uuid.uuid4().hex}",
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for call in reply.tool_calls
    ]


def _call_deltas(reply: Reply) -> Iterator[Json]:
    for index, call in enumerate(_calls(reply)):
        function = call["function"]
        yield {"index": index, **call, "function": function | {"arguments": ""}}
        for piece in argument_pieces(function["arguments"]):
            yield {"index": index, "function": {"arguments": piece}}


def _finish_reason(reply: Reply) -> str:
    if reply.tool_calls:
        return "tool_calls"
    reasons = {"content_filter": "content_filter", "max_output_tokens": "length"}
    return reasons[reply.incomplete] if reply.incomplete else "stop"


def _frame(body: Json, kind: str) -> Json:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": body["model"],
    }


def _tokens(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
