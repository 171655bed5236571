import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
from agents import (
    Agent,
    MaxTurnsExceeded,
    ModelBehaviorError,
    ModelRefusalError,
    ModelSettings,
    OpenAIProvider,
    RunConfig,
    Runner,
    TResponseInputItem,
    function_tool,
)
from agents.result import RunResultBase
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from local.offline_model import serve
from local.offline_model.answers import answer
from local.offline_model.commands import Commands, read_commands
from local.offline_model.prompt import BadRequestError, Entry, Prompt

PROTOCOLS = ["responses", "chat completions"]
ADD_TOOL = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
    "required": ["a", "b"],
}


HTTP = httpx.Client(verify=False)  # loading certificates takes longer than most of these tests


@pytest.fixture(scope="module", autouse=True)
def closed_client() -> Iterator[None]:
    with HTTP:
        yield


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve() as url:
        yield url


@pytest.fixture(autouse=True)
def empty_log(url: str) -> None:
    HTTP.delete(f"{url}/log")


def log(url: str) -> list[dict[str, Any]]:
    requests: list[dict[str, Any]] = HTTP.get(f"{url}/log").json()["requests"]
    return requests


def talk(*texts: str) -> str:
    """The last answer in a conversation in which the user says these texts."""
    entries: list[Entry] = []
    for text in texts:
        entries.append(Entry("user", text))
        reply = answer(Prompt("Be helpful.", entries, {}), Commands())
        entries.append(Entry("assistant", reply.text))
    return entries[-1].text


# What it says


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["My name is Ada.", "What is my name?"], "Your name is Ada."),
        (["my name is Ada and I row", "hello", "what's my name?"], "Your name is Ada."),
        (
            ["My favourite colour is green.", "What is my favourite colour?"],
            "Your favourite colour is green.",
        ),
        (["My name is Ada.", "My name is Grace.", "What is my name?"], "Your name is Grace."),
        (["Hello", "What is my name?"], "You have not told me your name yet."),
        (["Hello", "My name is Ada."], "Nice to meet you, Ada."),
        (["My name is Ada.", "Hello"], "Hello, Ada! Ask me what I can do."),
        (["Hello", "Well", "How many messages have I sent?"], "You have sent me 3 messages."),
        (["say exactly: <b>**x**</b>\n\n- 1"], "<b>**x**</b>\n\n- 1"),
        (["Please repeat: my name is Ada"], "my name is Ada"),
        (["Hello", "Use the tool dance"], "I have no tool called dance. The tools I have: none."),
    ],
)
def test_it_answers_by_rules(texts: list[str], expected: str) -> None:
    assert talk(*texts) == expected


def test_a_long_answer_is_markdown_in_several_paragraphs() -> None:
    text = talk("Write a long answer about tea.")
    assert text.count("\n\n") > 10
    assert "**tea**" in text


def test_anything_else_is_quoted() -> None:
    assert "“Do trees sleep at night?”" in talk("Hello", "Do trees sleep at night?")


def test_it_writes_a_title_from_the_first_message() -> None:
    prompt = Prompt(
        "Write a short title for this conversation.",
        [Entry("user", "how do I grow *tomatoes* on a balcony in winter?"), Entry("assistant", "In pots.")],
        {},
    )
    assert answer(prompt, Commands()).text == "How do I grow tomatoes"


def test_a_summary_keeps_what_the_user_told_and_what_the_earlier_one_had() -> None:
    def summarized(transcript: str) -> str:
        prompt = Prompt("Write a summary of the conversation.", [Entry("user", transcript)], {})
        return answer(prompt, Commands()).text

    first = summarized("user:\nmy name is Ada\n\nassistant:\nNice to meet you.\n\nuser:\nI row")
    assert first == "The user said: “my name is Ada” “I row”"
    second = summarized(f"Earlier summary:\n{first}\n\nuser:\n" + "\n\nuser:\n".join(map(str, range(30))))
    assert second.startswith("The user said: “my name is Ada” “20”")
    later = Prompt(f"Be helpful. Earlier: {second}", [Entry("user", "What is my name?")], {})
    assert answer(later, Commands()).text.startswith("Your name is Ada.")


def test_instructions_that_mention_titles_are_no_request_for_one() -> None:
    prompt = Prompt(
        "You are a helpful librarian. Write the title of books in italics.", [Entry("user", "Hello")], {}
    )
    assert answer(prompt, Commands()).text.startswith("Hello!")


# The commands


def test_commands_come_from_model_header_and_message_in_turn() -> None:
    commands = read_commands("offline:slow=2,word=50", "word=5", "[offline: hang=3] Hello")
    assert commands == Commands(slow=2, word=5, hang=3)


def test_other_models_and_brackets_are_no_commands() -> None:
    assert read_commands("gpt-6", "", "see [offline: hang]") == Commands()


@pytest.mark.parametrize("text", ["explode", "status=high", "status", "rubbish=5", "loop=1"])
def test_a_command_it_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(BadRequestError):
        read_commands(f"offline:{text}", "", "")


def test_commands_in_a_message_do_not_reach_the_title(url: str) -> None:
    body = {
        "model": "offline",
        "instructions": "Write a title.",
        "input": [{"role": "user", "content": "[offline: status=500] Tea"}],
    }
    response = post(url, body)
    assert response.json()["output"][0]["content"][0]["text"] == "Tea"


# The protocols


def post(url: str, body: dict[str, Any], path: str = "responses", **headers: str) -> httpx.Response:
    return HTTP.post(f"{url}/v1/{path}", json=body, headers={"authorization": "Bearer key"} | headers)


def sse(response: httpx.Response) -> list[Any]:
    assert response.headers["content-type"].startswith("text/event-stream")
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


BODIES = {
    "text": {},
    "tool": {"model": "offline:tool=add"},
    "refusal": {"model": "offline:refusal"},
    "incomplete": {"model": "offline:incomplete=content_filter"},
    "error": {"model": "offline:error=server_error"},
}


@pytest.mark.parametrize("kind", BODIES)
def test_responses_are_valid_whole_and_streamed(url: str, kind: str) -> None:
    tool = {"type": "function", "name": "add", "parameters": ADD_TOOL, "strict": True}
    body = {"model": "offline", "input": "Hello", "tools": [tool]} | BODIES[kind]
    whole = Response.model_validate(post(url, body).json())
    events = sse(post(url, body | {"stream": True}))
    adapter = TypeAdapter[ResponseStreamEvent](ResponseStreamEvent)
    parsed = [adapter.validate_python(event) for event in events]
    assert [event.sequence_number for event in parsed] == list(range(len(parsed)))
    assert parsed[0].type == "response.created"
    last = parsed[-1]
    assert last.type in {"response.completed", "response.incomplete", "response.failed"}
    assert last.response.status == whole.status
    assert last.response.output_text == whole.output_text
    deltas = "".join(event.delta for event in parsed if event.type == "response.output_text.delta")
    if kind != "error":
        assert deltas == whole.output_text
        assert whole.usage
        assert whole.usage.output_tokens > 0


@pytest.mark.parametrize("kind", [kind for kind in BODIES if kind != "error"])
def test_chat_completions_are_valid_whole_and_streamed(url: str, kind: str) -> None:
    tool = {"type": "function", "function": {"name": "add", "parameters": ADD_TOOL}}
    body = {"model": "offline", "messages": [{"role": "user", "content": "Hello"}], "tools": [tool]} | BODIES[
        kind
    ]
    [choice] = ChatCompletion.model_validate(post(url, body, "chat/completions").json()).choices
    options = {"stream": True, "stream_options": {"include_usage": True}}
    *events, done = sse(post(url, body | options, "chat/completions"))
    chunks = [ChatCompletionChunk.model_validate(event) for event in events]
    assert done == "[DONE]"
    assert chunks[-1].usage
    assert chunks[-1].choices == []
    assert chunks[-2].choices[0].finish_reason == choice.finish_reason
    deltas = [chunk.choices[0].delta for chunk in chunks[:-1]]
    assert "".join(delta.content or "" for delta in deltas) == (choice.message.content or "")
    assert "".join(delta.refusal or "" for delta in deltas) == (choice.message.refusal or "")


def test_chat_completions_tell_usage_in_a_stream_only_when_asked(url: str) -> None:
    body = {"model": "offline", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
    *events, _ = sse(post(url, body, "chat/completions"))
    assert not any(event.get("usage") for event in events)


def test_models_are_listed(url: str) -> None:
    assert [model["id"] for model in HTTP.get(f"{url}/v1/models").json()["data"]] == ["offline"]


def test_a_prefix_seen_before_counts_as_cached(url: str) -> None:
    conversation = [{"role": "user", "content": f"{number} " + "tea " * 1000} for number in range(3)]
    body = {"model": "offline", "input": conversation}
    assert post(url, body).json()["usage"]["input_tokens_details"]["cached_tokens"] == 0
    longer = body | {"input": [*conversation, {"role": "user", "content": "More?"}]}
    assert post(url, longer).json()["usage"]["input_tokens_details"]["cached_tokens"] >= 2900
    changed = body | {"input": [{"role": "user", "content": "Other"}, *conversation]}
    assert post(url, changed).json()["usage"]["input_tokens_details"]["cached_tokens"] == 0


@pytest.mark.parametrize(
    "items",
    [
        [{"type": "function_call_output", "call_id": "c1", "output": "5"}],
        [{"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{}"}],
        [{"role": "nobody", "content": "Hello"}],
    ],
)
def test_input_that_the_real_api_refuses_is_refused(url: str, items: list[dict[str, Any]]) -> None:
    response = post(url, {"model": "offline", "input": items})
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_a_body_that_is_no_json_and_a_missing_key_are_refused(url: str) -> None:
    assert (
        HTTP.post(f"{url}/v1/responses", content=b"{", headers={"authorization": "Bearer k"}).status_code
        == 400
    )
    assert HTTP.post(f"{url}/v1/responses", json={"model": "offline", "input": "Hello"}).status_code == 401


# With the Agents SDK


@function_tool
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


class Chat:
    """A conversation through the Agents SDK."""

    def __init__(
        self, client: openai.AsyncOpenAI, *, protocol: str, streamed: bool, model: str = "offline"
    ) -> None:
        self._agent = Agent(name="Test", instructions="Be helpful.", tools=[add], model=model)
        self._config = RunConfig(
            model_provider=OpenAIProvider(openai_client=client, use_responses=protocol == "responses"),
            model_settings=ModelSettings(include_usage=True),
            tracing_disabled=True,
        )
        self._streamed = streamed
        self._items: list[TResponseInputItem] = []
        self.requests = 0

    async def say(self, text: str) -> str:
        items: list[TResponseInputItem] = [*self._items, {"role": "user", "content": text}]
        result: RunResultBase
        if self._streamed:
            result = streamed = Runner.run_streamed(self._agent, items, run_config=self._config, max_turns=3)
            async for _ in streamed.stream_events():
                pass
        else:
            result = await Runner.run(self._agent, items, run_config=self._config, max_turns=3)
        self._items = result.to_input_list()
        self.requests = result.context_wrapper.usage.requests
        assert result.context_wrapper.usage.output_tokens > 0
        return str(result.final_output)


def with_client(url: str, work: Callable[[openai.AsyncOpenAI], Awaitable[None]], **options: Any) -> None:
    async def run() -> None:
        http_client = openai.DefaultAsyncHttpxClient(verify=False)
        settings = {"max_retries": 0, **options}
        async with openai.AsyncOpenAI(
            base_url=f"{url}/v1", api_key="key", http_client=http_client, **settings
        ) as client:
            await work(client)

    asyncio.run(run())


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_conversation_with_tools(url: str, protocol: str, streamed: bool) -> None:
    async def work(client: openai.AsyncOpenAI) -> None:
        chat = Chat(client, protocol=protocol, streamed=streamed)
        assert await chat.say("Hello, my name is Ada.") == "Nice to meet you, Ada."
        assert await chat.say('Use the tool add with {"a": 2, "b": 3}.') == "The tool add says: 5"
        assert chat.requests == 2
        both = 'Use the tool add with {"a": 1, "b": 1} and use the tool add with {"a": 2, "b": 2}'
        assert await chat.say(both) == "The tool add says: 2\n\nThe tool add says: 4"
        assert await chat.say("What is my name?") == "Your name is Ada."
        assert await chat.say("How many messages have I sent?") == "You have sent me 5 messages."

    with_client(url, work)


def test_tools_are_used_one_after_the_other(url: str) -> None:
    async def work(client: openai.AsyncOpenAI) -> None:
        chat = Chat(client, protocol="responses", streamed=True)
        steps = 'Use the tool add with {"a": 1, "b": 1}, and then use the tool add with {"a": 2, "b": 2}'
        assert await chat.say(steps) == "The tool add says: 4"
        assert chat.requests == 3
        assert await chat.say('Use the tool add with {"a": 2, "b": 3}.') == "The tool add says: 5"

    with_client(url, work)


ERRORS = [
    ("status=400", openai.BadRequestError),
    ("status=401", openai.AuthenticationError),
    ("status=404", openai.NotFoundError),
    ("status=429", openai.RateLimitError),
    ("status=500", openai.InternalServerError),
    ("status=503", openai.InternalServerError),
    ("cut=4", openai.APIConnectionError),
    ("hang", openai.APITimeoutError),
    ("hang=4", openai.APITimeoutError),
    ("slow=5", openai.APITimeoutError),
    ("rubbish=json", json.JSONDecodeError),
    ("error=server_error", (ModelBehaviorError, openai.APIError)),
    ("refusal", ModelRefusalError),
    ("loop", MaxTurnsExceeded),
    ("tool=unknown", ModelBehaviorError),
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("command", "error"), ERRORS, ids=[command for command, _ in ERRORS])
def test_faults_reach_the_agents_sdk(
    url: str, protocol: str, streamed: bool, command: str, error: type[Exception]
) -> None:
    async def work(client: openai.AsyncOpenAI) -> None:
        chat = Chat(client, protocol=protocol, streamed=streamed, model=f"offline:{command}")
        with pytest.raises(error):
            await chat.say("Hello")

    # Where the time does not have to run out, a busy machine gets more of it.
    with_client(url, work, timeout=0.3 if error is openai.APITimeoutError else 10)


def test_a_rate_limit_says_when_to_try_again(url: str) -> None:
    assert post(url, {"model": "offline:status=429", "input": "Hello"}).headers["retry-after"] == "1"
    reply = post(url, {"model": "offline:status=503,retry_after=7", "input": "Hello"})
    assert reply.headers["retry-after"] == "7"
    assert "retry-after" not in post(url, {"model": "offline:status=503", "input": "Hello"}).headers


def test_the_first_requests_fail_and_the_next_one_works(url: str) -> None:
    def statuses(text: str) -> list[int]:
        body = {"model": "offline:status=503,first=2", "input": text}
        return [post(url, body).status_code for _ in range(3)]

    assert statuses("Hello") == [503, 503, 200]
    assert statuses("Goodbye") == [503, 503, 200]


def test_the_header_commands_too(url: str) -> None:
    body = {"model": "offline", "input": "Hello"}
    assert post(url, body, **{"x-offline-model": "status=500"}).status_code == 500


@pytest.mark.parametrize("kind", ["html", "empty"])
def test_rubbish_is_sent_with_status_200(url: str, kind: str) -> None:
    response = post(url, {"model": f"offline:rubbish={kind}", "input": "Hello", "stream": True})
    assert response.status_code == 200
    if kind == "html":
        assert response.text.startswith("<!doctype html>")
    else:
        assert sse(response)[-1]["response"]["output"] == []


def test_an_answer_has_the_length_commanded(url: str) -> None:
    long = post(url, {"model": "offline:words=5000", "input": "Hello"}).json()
    assert len(long["output"][0]["content"][0]["text"].split()) == 5000


def test_words_come_at_the_pace_commanded(url: str) -> None:
    started = time.monotonic()
    post(url, {"model": "offline:words=10,word=20", "input": "Hello", "stream": True})
    assert 0.2 <= time.monotonic() - started < 2


def test_the_log_tells_what_was_asked_and_how_it_ended(url: str) -> None:
    body = {"model": "offline", "input": "Hello"}
    post(url, body)
    post(url, body | {"model": "offline:status=500"})
    with pytest.raises(httpx.RemoteProtocolError):
        post(url, body | {"model": "offline:cut=3", "stream": True})
    with pytest.raises(httpx.ReadTimeout):
        HTTP.post(
            f"{url}/v1/responses",
            json=body | {"model": "offline:hang"},
            headers={"authorization": "Bearer key"},
            timeout=0.1,
        )
    deadline = time.monotonic() + 5
    while log(url)[-1]["outcome"] is None:
        assert time.monotonic() < deadline
    assert [entry["outcome"] for entry in log(url)] == ["answered", "refused", "cut", "left"]
    assert log(url)[0]["body"] == body
