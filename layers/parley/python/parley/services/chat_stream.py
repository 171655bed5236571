"""The streamed answer of the Chat Completions API."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import openai
from openai.types import CompletionUsage
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionMessage,
    ChatCompletionMessageFunctionToolCall,
    ChatCompletionMessageToolCallUnion,
)
from openai.types.chat.chat_completion import Choice as WholeChoice
from openai.types.chat.chat_completion_chunk import (
    Choice,
    ChoiceDelta,
    ChoiceDeltaToolCall,
    ChoiceDeltaToolCallFunction,
)
from openai.types.completion_usage import PromptTokensDetails

from parley.services import model_stops
from parley.services.model_report import MAX_ANSWER, MAX_CALLS
from parley.services.model_stream import ModelStream


@dataclass(slots=True)
class _Call:
    """A call as far as it has been sent. `index`: its place, as the server counts."""

    index: Any
    call_id: Any
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class ChatStream(ModelStream[ChatCompletionChunk], openai.AsyncStream[ChatCompletionChunk]):
    streamed: ClassVar = {"stream_options": {"include_usage": True}}

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self._calls: list[_Call] = []
        self._calls_size = 0

    def read(self, event: dict[str, Any]) -> Iterator[ChatCompletionChunk]:
        usage = event.get("usage")
        if isinstance(usage, dict):
            self.request.charge(
                usage.get("prompt_tokens"), usage.get("completion_tokens"), usage.get("prompt_tokens_details")
            )
        choices = event.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            # One answer is asked for. Others that come all the same are left out.
            if isinstance(choice, dict) and choice.get("index") in (0, None) and self.stop is None:
                yield from self._choice(choice)
        self.over = self.over or (self.stop is not None and isinstance(usage, dict))

    def _choice(self, choice: dict[str, Any]) -> Iterator[ChatCompletionChunk]:
        delta = choice.get("delta") or choice.get("message")
        if isinstance(delta, dict):
            self.refused = self.refused or bool(delta.get("refusal"))
            yield from self.say(delta.get("content"))
            calls = delta.get("tool_calls")
            for call in calls if isinstance(calls, list) else []:
                if isinstance(call, dict) and self.stop is None:
                    self._add_call(call.get("index"), call.get("id"), call.get("function"))
            if delta.get("function_call"):
                self._add_call(0, None, delta["function_call"])
        if choice.get("finish_reason") and self.stop is None:
            self.stop = model_stops.of_reason(choice["finish_reason"])

    def _add_call(self, index: Any, call_id: Any, function: Any) -> None:
        """Add a part of a call: to the call of its index, or of its id. Without either, to the last one."""
        same_index = [call for call in self._calls if index is None or call.index == index]
        call = same_index[-1] if same_index else None
        if call is None or (call_id and call.call_id and call_id != call.call_id):
            call = _Call(index, call_id)
            self._calls.append(call)
        call.call_id = call.call_id or call_id
        if not isinstance(function, dict):
            return
        name, arguments = function.get("name"), function.get("arguments")
        if isinstance(name, str) and name != call.name:
            call.name += name
            self._calls_size += len(name)
        if arguments is not None:
            call.arguments.append(arguments if isinstance(arguments, str) else json.dumps(arguments))
            self._calls_size += len(call.arguments[-1])
        if self._calls_size > MAX_ANSWER or len(self._calls) > MAX_CALLS:
            self.cut()

    def text_event(self, text: str) -> ChatCompletionChunk:
        return _chunk(ChoiceDelta(content=text))

    async def whole(self) -> ChatCompletion:
        chunks = [chunk async for chunk in self]
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        calls: list[ChatCompletionMessageToolCallUnion] = [
            ChatCompletionMessageFunctionToolCall.model_validate(call.model_dump())
            for call in chunks[-1].choices[0].delta.tool_calls or ()
        ]
        message = ChatCompletionMessage(role="assistant", content=text or None, tool_calls=calls or None)
        reason: Any = chunks[-1].choices[0].finish_reason
        return ChatCompletion(
            id="",
            choices=[WholeChoice(index=0, message=message, finish_reason=reason)],
            created=0,
            model="",
            object="chat.completion",
            usage=chunks[-1].usage,
        )

    def last_event(self) -> ChatCompletionChunk:
        made = [
            self.request.call(call.call_id, call.name, "".join(call.arguments))
            for call in (self._calls if self.stop == "completed" else [])
        ]
        calls = [
            ChoiceDeltaToolCall(
                index=index,
                id=call.call_id,
                type="function",
                function=ChoiceDeltaToolCallFunction(name=call.name, arguments=call.arguments),
            )
            for index, call in enumerate(call for call in made if call)
        ]
        # The SDK needs an answer, even an empty one.
        chunk = _chunk(ChoiceDelta(content=None if calls else "", tool_calls=calls or None))
        chunk.choices[0].finish_reason = "tool_calls" if calls else "stop"
        chunk.usage = self._usage()
        return chunk

    def _usage(self) -> CompletionUsage:
        read, written = self.request.read(), self.request.written()
        return CompletionUsage(
            prompt_tokens=read,
            completion_tokens=written,
            total_tokens=read + written,
            prompt_tokens_details=PromptTokensDetails(cached_tokens=self.request.cached_tokens),
        )


def _chunk(delta: ChoiceDelta) -> ChatCompletionChunk:
    # Not `model_construct`: openai's own takes thirty times as long as validating does.
    choice = Choice(index=0, delta=delta, finish_reason=None)
    return ChatCompletionChunk(id="", choices=[choice], created=0, model="", object="chat.completion.chunk")
