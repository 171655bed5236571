"""The openai client, with streams of our own and without a habit that costs half of a turn's CPU.

It goes through every item of the history to bring it into wire form, which the Agents SDK has done already
(0.3 ms an item).
"""

import json
from collections.abc import AsyncIterator
from functools import cached_property
from typing import Any

import httpx2
import openai
from openai._streaming import SSEBytesDecoder
from openai.resources.responses import AsyncResponses

from parley.errors import UpstreamFailed
from parley.services.chat_stream import ChatStream
from parley.services.model_report import current_report
from parley.services.model_stream import AnswerDecoder
from parley.services.responses_stream import ResponsesStream

MAX_RETRY_WAIT_S = 3.0
# In bytes, of what a server says with an error. The SDK reads it whole.
MAX_ERROR = 64_000


class ModelClient(openai.AsyncOpenAI):
    """Every streamed request is counted in the current ModelReport, and its answer is read as such."""

    def __init__(self, **parameters: Any) -> None:
        super().__init__(default_headers={"Accept-Encoding": "identity"}, **parameters)
        hooks = self._client.event_hooks
        self._client.event_hooks = hooks | {"response": [*hooks["response"], _limit]}

    @cached_property
    def responses(self) -> AsyncResponses:
        return _Responses(self)

    async def request(
        self, cast_to: Any, options: Any, *, stream: bool = False, stream_cls: Any = None
    ) -> Any:
        if not stream:
            return await super().request(cast_to, options)
        report = current_report.get()
        request = report.begin(lambda: _size(options))
        stream_cls = ResponsesStream if options.url == "/responses" else ChatStream
        try:
            return await super().request(cast_to, options, stream=True, stream_cls=stream_cls)
        except openai.APITimeoutError:
            raise
        except openai.APIError:
            # Nothing was read or written.
            report.requests.remove(request)
            raise

    def _should_retry(self, response: httpx2.Response) -> bool:
        # The client would wait for as long as a server asks it to, up to a minute.
        wait_s = self._parse_retry_after_header(response.headers)
        return (wait_s is None or wait_s <= MAX_RETRY_WAIT_S) and super()._should_retry(response)

    def _make_sse_decoder(self) -> SSEBytesDecoder:
        return AnswerDecoder()


async def _limit(response: httpx2.Response) -> None:
    """Raises UpstreamFailed for a compressed answer: a small one can fill the memory."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        await response.aclose()
        raise UpstreamFailed
    if not response.is_success and isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Beginning(response.stream)


class _Beginning(httpx2.AsyncByteStream):
    def __init__(self, whole: httpx2.AsyncByteStream) -> None:
        self._whole = whole

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._whole:
            yield chunk
            size += len(chunk)
            if size > MAX_ERROR:
                return

    async def aclose(self) -> None:
        await self._whole.aclose()


def _size(options: Any) -> int:
    """Bytes of a request's body."""
    return len(json.dumps([options.json_data, options.extra_json], default=str))


class _Responses(AsyncResponses):
    async def create(self, **parameters: Any) -> Any:
        if isinstance(parameters.get("input"), list):
            # What is in `extra_body` is sent as it is.
            given = parameters.get("extra_body") or {}
            parameters["extra_body"] = {"input": parameters.pop("input"), **given}
        return await super().create(**parameters)
