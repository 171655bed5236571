"""The openai client, with streams of our own and without a habit that costs half of a turn's CPU.

It goes through every item of the history to bring it into wire form, which the Agents SDK has done already
(0.3 ms an item).
"""

import json
from functools import cached_property
from typing import Any

import httpx2
import openai
from openai._streaming import SSEBytesDecoder
from openai.resources.responses import AsyncResponses

from parley.services import model_stops
from parley.services.chat_stream import ChatStream
from parley.services.model_report import current_report
from parley.services.model_stream import AnswerDecoder
from parley.services.responses_stream import ResponsesStream

# The client itself would wait for two minutes, which turns do not have.
MAX_WAIT_S = 5


class ModelClient(openai.AsyncOpenAI):
    """Every streamed request is counted in the current ModelReport, and its answer is read as such."""

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
        """Where a server wants a longer pause, the user hears of it at once."""
        wait_s = model_stops.retry_after(response.headers) or 0
        return wait_s <= MAX_WAIT_S and super()._should_retry(response)

    def _make_sse_decoder(self) -> SSEBytesDecoder:
        return AnswerDecoder()


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
