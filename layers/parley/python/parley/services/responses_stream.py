"""The streamed answer of the Responses API."""

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import openai
from agents.models.fake_id import FAKE_RESPONSES_ID
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputItem,
    ResponseOutputItemAddedEvent,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseStreamEvent,
    ResponseTextDeltaEvent,
    ResponseUsage,
)
from openai.types.responses.response_usage import InputTokensDetails, OutputTokensDetails
from pydantic import TypeAdapter, ValidationError

from parley.services import model_stops
from parley.services.model_stream import ModelStream
from parley.text import clean, clean_text

# Items of one answer.
MAX_ITEMS = 200

_ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")


class ResponsesStream(ModelStream[ResponseStreamEvent], openai.AsyncStream[ResponseStreamEvent]):
    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self._items: list[dict[str, Any]] = []
        self._text: list[str] = []
        self._message_id: Any = None
        self._is_new = True
        # As it was sent.
        self._said: list[str] = []
        # Servers send an item when it is done, and all of them once more at the end.
        self._done: Counter[str] = Counter()

    def read(self, event: dict[str, Any]) -> Iterator[ResponseStreamEvent]:
        match event.get("type"):
            case "response.output_text.delta":
                yield from self._message(event.get("delta"), event.get("item_id"))
            case "response.refusal.delta" | "response.refusal.done":
                self.refused = True
            case "response.output_item.done":
                yield from self._item(event.get("item"))
            case "error" | "response.error":
                raise model_stops.of_error(event)
            case str(kind) if kind in _ENDS:
                response = event.get("response")
                yield from self._end(kind, response if isinstance(response, dict) else {})

    def _message(self, text: Any, item_id: Any) -> Iterator[ResponseStreamEvent]:
        """Text of the message `item_id`, which is a paragraph of its own."""
        if not isinstance(text, str):
            return
        self._is_new = self._is_new or item_id != self._message_id
        self._message_id = item_id
        self._said.append(text)
        for event in self.say(text):
            if self._is_new:
                self._is_new = False
                self._text.insert(-1, "\n\n" if self._text[1:] else "")
                yield _MESSAGE_ADDED
            yield event

    def _item(self, item: Any) -> Iterator[ResponseStreamEvent]:
        """An item of the answer: a message's text where its deltas were not sent, or anything else."""
        if not isinstance(item, dict):
            return
        identity = _identity(item)
        if item.get("id") and identity in self._done:
            return
        self._done[identity] += 1
        if item.get("type") != "message":
            self._items.append(item)
            if len(self._items) > MAX_ITEMS:
                self.cut()
            return
        parts = [part for part in _list(item.get("content")) if isinstance(part, dict)]
        self.refused = self.refused or any(part.get("type") == "refusal" for part in parts)
        text = "".join(str(part.get("text") or "") for part in parts)
        if clean_text(text) not in clean_text("".join(self._said)):
            yield from self._message(text, item.get("id"))

    def _end(self, kind: str, response: dict[str, Any]) -> Iterator[ResponseStreamEvent]:
        usage = response.get("usage")
        if isinstance(usage, dict):
            self.request.charge(
                usage.get("input_tokens"), usage.get("output_tokens"), usage.get("input_tokens_details")
            )
        if kind == "response.failed" or response.get("error"):
            raise model_stops.of_error(response.get("error"))
        listed = self._done.copy()
        for item in _list(response.get("output")):
            if self.stop is not None:
                break
            if isinstance(item, dict) and listed[_identity(item)] > 0:
                listed[_identity(item)] -= 1
            else:
                yield from self._item(item)
        details = response.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        self.stop = self.stop or model_stops.of_reason(reason or kind.removeprefix("response."))
        self.over = True

    def text_event(self, text: str) -> ResponseStreamEvent:
        self._text.append(text)
        # Not `model_construct`: openai's own takes fifteen times as long as validating does.
        return ResponseTextDeltaEvent(
            type="response.output_text.delta",
            delta=text,
            item_id=FAKE_RESPONSES_ID,
            output_index=0,
            content_index=0,
            logprobs=[],
            sequence_number=0,
        )

    async def whole(self) -> Response:
        async for event in self:
            last = event
        assert isinstance(last, ResponseCompletedEvent)  # noqa: S101 (as the stream ends)
        return last.response

    def last_event(self) -> ResponseStreamEvent:
        # What was cut off may be the end of a call.
        made = [self._made(item) for item in self._items] if self.stop == "completed" else []
        # Calls come last, since their outputs have to follow them.
        calls = [item for item in made if isinstance(item, ResponseFunctionToolCall)]
        output = [item for item in made if item and not isinstance(item, ResponseFunctionToolCall)]
        output += [_message("".join(self._text))] if self._text else []
        read, written = self.request.read(), self.request.written()
        usage = ResponseUsage(
            input_tokens=read,
            output_tokens=written,
            total_tokens=read + written,
            input_tokens_details=InputTokensDetails.model_construct(cached_tokens=self.request.cached_tokens),
            output_tokens_details=OutputTokensDetails(reasoning_tokens=0),
        )
        response = Response.model_construct(id=None, output=output + calls, usage=usage, status="completed")
        return ResponseCompletedEvent.model_construct(
            type="response.completed", response=response, sequence_number=0
        )

    def _made(self, item: dict[str, Any]) -> Any:
        """An item of the answer as the SDK's, or None where it cannot be one."""
        if item.get("type") == "function_call":
            call = self.request.call(item.get("call_id"), item.get("name"), item.get("arguments"))
            return call and ResponseFunctionToolCall.model_construct(type="function_call", **call._asdict())
        # Its size comes first: what is wrong in an item can take far more room and time than the item.
        if not self.request.takes(item):
            return None
        try:
            return _any_item().validate_python(clean(item))
        except ValidationError:
            return None


def _identity(item: dict[str, Any]) -> str:
    return json.dumps([item.get(name) for name in ("type", "id", "call_id", "name", "arguments")])


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


# Built when it is needed first: it takes time, and most models call functions only.
@cache
def _any_item() -> TypeAdapter[Any]:
    return TypeAdapter(ResponseOutputItem)


def _message(text: str) -> ResponseOutputMessage:
    content = ResponseOutputText.model_construct(type="output_text", text=text, annotations=[])
    return ResponseOutputMessage.model_construct(
        # The SDK never sends this id.
        id=FAKE_RESPONSES_ID,
        type="message",
        role="assistant",
        status="completed",
        content=[content],
    )


_MESSAGE_ADDED = ResponseOutputItemAddedEvent.model_construct(
    type="response.output_item.added", item=_message(""), output_index=0, sequence_number=0
)
