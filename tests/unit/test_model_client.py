"""The openai client's shortcuts: what is sent and what is read must be what the client itself would."""

import asyncio
from typing import Any

import httpx
import httpx2
import openai
import pytest
from openai.types.responses import ResponseStreamEvent

from local.offline_model import responses
from local.offline_model.prompt import Reply, ToolCall
from local.offline_model.tokens import Usage
from parley.services.model_client import ModelClient

RESPONSE = httpx2.Response(200)
HISTORY: list[Any] = [
    {"role": "user", "content": "How long is the ledger?"},
    {"type": "function_call", "call_id": "call_1", "name": "page_count", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_1", "output": "7"},
    {"role": "assistant", "content": "Seven pages."},
    {"role": "user", "content": "And the other one?"},
]


def clients(base_url: str = "http://127.0.0.1/v1") -> list[openai.AsyncOpenAI]:
    return [kind(api_key="offline", base_url=base_url) for kind in (openai.AsyncOpenAI, ModelClient)]


@pytest.mark.parametrize(
    "reply",
    [Reply("Some words."), Reply(refusal="No."), Reply(tool_calls=[ToolCall("page_count", "{}")])],
    ids=["text", "refusal", "tool call"],
)
def test_every_event_is_read_as_the_client_itself_reads_it(reply: Reply) -> None:
    theirs, ours = clients()
    events = list(responses.events({"model": "offline"}, reply, Usage(1, 1, 0)))
    assert len(events) > 5
    for event in events:
        kinds: dict[str, Any] = {"data": event.data, "cast_to": ResponseStreamEvent, "response": RESPONSE}
        expected, read = theirs._process_response_data(**kinds), ours._process_response_data(**kinds)
        assert type(read) is type(expected)
        assert read == expected


@pytest.mark.parametrize("data", [{"type": "response.output_text.delta"}, {"type": "unheard.of"}, {}, []])
def test_an_event_that_is_not_as_it_should_be_is_left_to_the_client_itself(data: Any) -> None:
    theirs, ours = clients()
    kinds: dict[str, Any] = {"data": data, "cast_to": ResponseStreamEvent, "response": RESPONSE}
    assert repr(ours._process_response_data(**kinds)) == repr(theirs._process_response_data(**kinds))


@pytest.mark.parametrize("given", [HISTORY, "Just a text"], ids=["items", "text"])
def test_the_request_is_the_one_that_the_client_itself_sends(model_url: str, given: Any) -> None:
    async def send(client: openai.AsyncOpenAI) -> None:
        async with (
            client,
            client.responses.with_streaming_response.create(
                model="offline", input=given, instructions="Be brief.", store=False, extra_body={"user": "u"}
            ) as reply,
        ):
            await reply.read()

    for client in clients(f"{model_url}/v1"):
        asyncio.run(send(client))
    theirs, ours = (asked["body"] for asked in httpx.get(f"{model_url}/log").json()["requests"][-2:])
    assert ours == theirs
    assert ours["input"] == given
