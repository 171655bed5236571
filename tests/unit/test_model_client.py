"""The openai client's shortcut: what is sent must be what the client itself would send."""

import asyncio
from typing import Any

import httpx
import openai
import pytest

from parley.services.model_client import ModelClient

HISTORY: list[Any] = [
    {"role": "user", "content": "How long is the ledger?"},
    {"type": "function_call", "call_id": "call_1", "name": "page_count", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_1", "output": "7"},
    {"role": "assistant", "content": "Seven pages."},
    {"role": "user", "content": "And the other one?"},
]


def clients(base_url: str = "http://127.0.0.1/v1") -> list[openai.AsyncOpenAI]:
    return [kind(api_key="offline", base_url=base_url) for kind in (openai.AsyncOpenAI, ModelClient)]


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
    theirs, ours = (request["body"] for request in httpx.get(f"{model_url}/log").json()["requests"][-2:])
    assert ours == theirs
    assert ours["input"] == given
