"""The openai client, with streams of our own and without a habit that costs half of a turn's CPU.

It goes through every item of the history, and every tool, to bring it into wire form, which the Agents SDK
has done already (0.3 ms an item).
"""

import json
from collections.abc import AsyncIterator
from functools import cached_property
from typing import Any

import httpx2
import openai
from openai._streaming import SSEBytesDecoder
from openai.resources.responses import AsyncResponses

from parley.services.chat_stream import ChatStream
from parley.services.model_report import current_report, current_request
from parley.services.model_stream import AnswerDecoder
from parley.services.responses_stream import ResponsesStream

MAX_RETRY_WAIT_S = 3.0
# In bytes, of what a server says with an error. The SDK reads it whole.
MAX_ERROR = 64_000


class ModelClient(openai.AsyncOpenAI):
    """Every request is counted in the current ModelReport.

    Every answer is read as a stream, also where the SDK asks for a whole one, as it does for an agent that is
    used as a tool.
    """

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
        report = current_report.get()
        request = report.begin(lambda: _size(options), is_inner=not stream)
        current_request.set(request)
        stream_cls = ResponsesStream if options.url == "/responses" else ChatStream
        try:
            if stream:
                return await super().request(cast_to, options, stream=True, stream_cls=stream_cls)
            streamed: Any = stream_cls.streamed | options.json_data
            options = options.model_copy(update={"json_data": streamed | {"stream": True}})
            answer = await super().request(cast_to, options, stream=True, stream_cls=stream_cls)
        except openai.APITimeoutError:
            raise
        except openai.APIError:
            # Nothing was read or written.
            report.requests.remove(request)
            raise
        return await answer.whole()

    def _should_retry(self, response: httpx2.Response) -> bool:
        # The client would wait for as long as a server asks it to, up to a minute.
        wait_s = self._parse_retry_after_header(response.headers)
        return (wait_s is None or wait_s <= MAX_RETRY_WAIT_S) and super()._should_retry(response)

    def _make_sse_decoder(self) -> SSEBytesDecoder:
        return AnswerDecoder()


async def _limit(response: httpx2.Response) -> None:
    """Let no more than the beginning of an error be read. An answer is bounded where it is read."""
    if not response.is_success and isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Beginning(response)
        response.headers.pop("content-encoding", None)


class _Beginning(httpx2.AsyncByteStream):
    """The beginning of a response, decompressed: a few bytes may stand for many."""

    def __init__(self, whole: httpx2.Response) -> None:
        self._whole = httpx2.Response(whole.status_code, headers=whole.headers, stream=whole.stream)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._whole.aiter_bytes():
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
        lists = {
            name: parameters.pop(name)
            for name in ("input", "tools")
            if isinstance(parameters.get(name), list)
        }
        # What is in `extra_body` is sent as it is.
        parameters["extra_body"] = lists | (parameters.get("extra_body") or {})
        return await super().create(**parameters)
