"""The openai client's shortcut: what is sent must be what the client itself would send."""

import asyncio
from typing import Any

import httpx
import openai
import pytest

from parley.services.model_client import ModelClient
from parley.services.model_report import ModelReport, current_report

HISTORY: list[Any] = [
    {"role": "user", "content": "How long is the ledger?"},
    {"type": "function_call", "call_id": "call_1", "name": "page_count", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_1", "output": "7"},
    {"role": "assistant", "content": "Seven pages."},
    {"role": "user", "content": "And the other one?"},
]


TOOLS: list[Any] = [
    {
        "type": "function",
        "name": "page_count",
        "description": "How many pages a book has.",
        "parameters": {
            "type": "object",
            "properties": {"book": {"type": "string"}},
            "required": ["book"],
            "additionalProperties": False,
        },
        "strict": True,
    }
]


def clients(base_url: str = "http://127.0.0.1/v1") -> list[openai.AsyncOpenAI]:
    return [kind(api_key="offline", base_url=base_url) for kind in (openai.AsyncOpenAI, ModelClient)]


@pytest.mark.parametrize("given", [HISTORY, "Just a text"], ids=["items", "text"])
def test_the_request_is_the_one_that_the_client_itself_sends(model_url: str, given: Any) -> None:
    async def send(client: openai.AsyncOpenAI) -> None:
        async with (
            client,
            client.responses.with_streaming_response.create(
                model="offline",
                input=given,
                instructions="Be brief.",
                store=False,
                stream=True,
                tools=TOOLS,
                extra_body={"user": "u"},
            ) as reply,
        ):
            await reply.read()

    current_report.set(ModelReport(set()))
    for client in clients(f"{model_url}/v1"):
        asyncio.run(send(client))
    theirs, ours = (request["body"] for request in httpx.get(f"{model_url}/log").json()["requests"][-2:])
    assert ours == theirs
    assert ours["input"] == given


@pytest.mark.parametrize("api", ["responses", "chat_completions"])
def test_a_whole_answer_is_asked_for_and_counted_as_a_stream(model_url: str, api: str) -> None:
    report = ModelReport(set())
    current_report.set(report)

    async def send() -> tuple[str, Any]:
        async with ModelClient(api_key="offline", base_url=f"{model_url}/v1") as client:
            if api == "responses":
                answer = await client.responses.create(model="offline", input="Say exactly: Ahoy")
                return answer.output_text, answer.usage
            messages: Any = [{"role": "user", "content": "Say exactly: Ahoy"}]
            completion = await client.chat.completions.create(model="offline", messages=messages)
            return completion.choices[0].message.content or "", completion.usage

    text, usage = asyncio.run(send())
    assert "Ahoy" in text
    (request,) = report.requests
    assert (request.input_tokens, request.is_inner, report.incomplete) == (request.read(), True, None)
    assert usage.total_tokens == request.read() + request.written() > 0
    assert httpx.get(f"{model_url}/log").json()["requests"][-1]["body"]["stream"] is True
