"""A model's streamed answer, whatever a server sends, as the few sound events that the Agents SDK needs.

Text is passed on as it comes. Tool calls, reasoning and usage are kept until the answer has ended, and then
passed on whole. What a protocol does not know is left out.
"""

import asyncio
import json
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar, TypeVar

import openai
from openai._streaming import ServerSentEvent, SSEDecoder
from openai._streaming_cleanup import drain_response_async

from parley.errors import ContentRefused, UpstreamFailed
from parley.services import model_stops
from parley.services.model_report import current_request
from parley.services.model_stops import Stop

T = TypeVar("T")

# In bytes, of which a server's event may have as many. An answer has a bound of its own.
MAX_EVENT = 8_000_000
# In bytes. A compressed answer may turn into far more at once, and would let nobody else's turn go on.
MAX_CHUNK = 8_000
# How long a server may take to say what an answer cost, once it has ended.
USAGE_PATIENCE_S = 2.0
BROKEN_OFF = "The model's answer broke off. Please try again."


class AnswerDecoder(SSEDecoder):
    """The SDK's decoder, for events of any bytes and of a limited size. Raises UpstreamFailed."""

    _since_event = 0

    async def aiter_bytes(self, iterator: AsyncIterator[bytes]) -> AsyncIterator[ServerSentEvent]:
        async for event in super().aiter_bytes(self._limited(iterator)):
            self._since_event = 0
            yield event

    async def _limited(self, iterator: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in iterator:
            self._since_event += len(chunk)
            if self._since_event > MAX_EVENT:
                raise UpstreamFailed(BROKEN_OFF)
            for start in range(0, len(chunk), MAX_CHUNK):
                if start:
                    await asyncio.sleep(0)
                yield chunk[start : start + MAX_CHUNK]

    def _decode_lines(self, lines: Iterator[bytes]) -> Iterator[ServerSentEvent]:
        for line in lines:
            if event := self.decode(line.decode(errors="replace")):
                yield event


class ModelStream(openai.AsyncStream[T]):
    """One answer. Its events raise ProblemError where the model does not answer.

    `stop`: how the answer ended; None until it has. `over`: nothing more is to be read. `streamed`: what a
    request for a stream says beside that it is one.
    """

    streamed: ClassVar[dict[str, Any]] = {}

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.request = current_request.get()
        self.stop: Stop | None = None
        self.over = False
        self.refused = False

    @abstractmethod
    def read(self, event: dict[str, Any]) -> Iterator[T]:
        """The SDK's events for the text in one of the server's events."""

    @abstractmethod
    def text_event(self, text: str) -> T: ...

    @abstractmethod
    async def whole(self) -> Any:
        """The answer as the SDK has it where it does not ask for a stream."""

    @abstractmethod
    def last_event(self) -> T:
        """The SDK's event for everything else in the answer, which has ended by `stop`."""

    async def __stream__(self) -> AsyncIterator[T]:
        try:
            async for sent in self._until_over():
                for event in self._read(sent):
                    yield event
            if self.stop is None:
                raise UpstreamFailed(BROKEN_OFF)
            if rest := self.request.text("", last=True):
                yield self.text_event(rest)
            if self.refused:
                raise ContentRefused
            if self.stop == "length":
                self.request.incomplete = "length"
            yield self.last_event()
        finally:
            await drain_response_async(self.response)

    async def _until_over(self) -> AsyncIterator[ServerSentEvent]:
        events = self._iter_events()
        async for sent in events:
            yield sent
            if self.over:
                return
            if self.stop is not None:
                break
        patience = asyncio.get_running_loop().time() + USAGE_PATIENCE_S
        # Timers cost time, which each of the many events before does not have to spend.
        while not self.over:
            try:
                async with asyncio.timeout_at(patience):
                    sent = await anext(events)
            except (TimeoutError, StopAsyncIteration, openai.APIConnectionError):
                return
            yield sent

    def _read(self, sent: ServerSentEvent) -> Iterator[T]:
        if sent.data.startswith("[DONE]"):
            self.over = True
            return
        if not sent.data.strip():
            return
        try:
            event = json.loads(sent.data)
        except (ValueError, RecursionError):
            raise UpstreamFailed(BROKEN_OFF) from None
        if not isinstance(event, dict):
            return
        if event.get("error"):
            raise model_stops.of_error(event["error"])
        yield from self.read(event)

    def say(self, said: Any) -> Iterator[T]:
        """The event for what the model says next, if that is text."""
        if isinstance(said, list):
            said = "".join(str(part.get("text") or "") for part in said if isinstance(part, dict))
        if not isinstance(said, str) or self.stop is not None:
            return
        if text := self.request.text(said):
            yield self.text_event(text)
        if self.request.incomplete:
            self.cut()

    def cut(self) -> None:
        """End the answer here: there is no room for more."""
        self.stop, self.over = "length", True
