"""What a guardrail refused reaches no model by another way: history, title, summary, search, tools."""

import asyncio
import json
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from agents import (
    Agent,
    GuardrailFunctionOutput,
    RunContextWrapper,
    TResponseInputItem,
    input_guardrail,
    output_guardrail,
)

from parley.tools.for_agents import conversation_tools
from tests.conftest import ApiUser
from tests.integration.test_chat import events
from tests.integration.test_turns import wait_for

# Guardrails refuse what holds one of these. A test may lift its own.
SECRETS: set[str] = set()


def holds_secret(text: str) -> bool:
    return any(secret in text for secret in SECRETS)


@input_guardrail(run_in_parallel=False)
def no_secrets(
    _context: RunContextWrapper[Any], _agent: Agent[Any], given: str | list[TResponseInputItem]
) -> GuardrailFunctionOutput:
    refused = holds_secret(str(given[-1]))
    return GuardrailFunctionOutput(output_info="No secrets, please.", tripwire_triggered=refused)


@input_guardrail
async def no_secrets_slowly(
    _context: RunContextWrapper[Any], _agent: Agent[Any], given: str | list[TResponseInputItem]
) -> GuardrailFunctionOutput:
    """Judges while the model writes, as guardrails do that ask a model themselves."""
    await asyncio.sleep(0.5)
    return GuardrailFunctionOutput(
        output_info="No secrets, please.", tripwire_triggered=holds_secret(str(given[-1]))
    )


@output_guardrail
def tells_no_secrets(
    _context: RunContextWrapper[Any], _agent: Agent[Any], said: str
) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(output_info="No secrets.", tripwire_triggered=holds_secret(said))


@pytest.fixture(scope="module")
def urls(serve_api: Callable[..., str]) -> dict[str, str]:
    def agent(**guardrails: Any) -> Agent[Any]:
        return Agent(name="Parley", instructions="Answer.", tools=list(conversation_tools), **guardrails)

    return {
        "before": serve_api(agent(input_guardrails=[no_secrets])),
        "meanwhile": serve_api(agent(input_guardrails=[no_secrets_slowly])),
        "after": serve_api(agent(output_guardrails=[tells_no_secrets])),
        "held": serve_api(agent(output_guardrails=[tells_no_secrets]), hold_answers=True),
    }


@pytest.fixture
def secret() -> str:
    made = f"hush{uuid.uuid4().hex}"
    SECRETS.add(made)
    return made


def requests_with(model_url: str, words: str) -> str:
    """The model's requests that hold these words, as JSON. There is one at least."""
    found = [each for each in httpx.get(f"{model_url}/log").json()["requests"] if words in json.dumps(each)]
    assert found
    return json.dumps(found)


def all_requests(model_url: str) -> str:
    return json.dumps(httpx.get(f"{model_url}/log").json()["requests"])


def conversation_of(user: ApiUser) -> dict[str, Any]:
    (conversation,) = user.http.get("/conversations").json()["data"]
    return dict(conversation)


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_refused_question_is_kept_for_its_author_alone(
    when: str, urls: dict[str, str], new_user: Callable[..., ApiUser], model_url: str, secret: str
) -> None:
    alice = new_user(api_url=urls[when])
    reply = alice.say(f"The key is {secret}")
    assert (reply.status_code, reply.json()["type"]) == (422, "/problems/content-refused"), reply.text
    assert reply.json()["detail"] == "No secrets, please."
    conversation = conversation_of(alice)
    assert conversation["title"] == "New conversation"
    question, answer = alice.messages(conversation["id"])
    assert (question["content"], question["withheld"]) == (f"The key is {secret}", True)
    assert (answer["content"], answer["withheld"], answer["status"]) == ("", True, "failed")

    marker = f"ahoy{uuid.uuid4().hex}"
    assert alice.say(f"Say exactly: {marker}", conversation["id"]).status_code == 200
    wait_for(lambda: conversation_of(alice)["title"] != "New conversation")
    said = alice.say(
        f'use the tool read_conversation with {{"conversation_id": "{conversation["id"]}"}}',
        conversation["id"],
    ).json()
    assert marker in said["tool_calls"][0]["output"]
    assert alice.http.get("/conversations", params={"q": "key"}).json()["data"] == []
    said = alice.say('use the tool search_conversations with {"words": "key"}').json()
    assert conversation["id"] not in said["tool_calls"][0]["output"]
    assert secret not in requests_with(model_url, marker)
    if when == "before":
        assert secret not in all_requests(model_url)


@pytest.mark.parametrize("reason", ["\x00 and \ud800", "long " * 100_000, {"a": 1}, None, object()])
def test_whatever_a_guardrail_gives_as_its_reason_it_refuses(
    reason: Any, serve_api: Callable[..., str], new_user: Callable[..., ApiUser]
) -> None:
    @input_guardrail(run_in_parallel=False)
    def refuse(_context: Any, _agent: Any, given: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(
            output_info=reason, tripwire_triggered="no" in str(given[-1]["content"])
        )

    alice = new_user(api_url=serve_api(Agent[Any](name="Parley", input_guardrails=[refuse])))
    refused = alice.say("no")
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/content-refused")
    assert len(refused.content) < 10_000
    conversation = conversation_of(alice)
    assert all(message["withheld"] for message in alice.messages(conversation["id"]))
    assert alice.say("Say exactly: Ahoy", conversation["id"]).status_code == 200


def test_a_refused_answers_text_is_not_kept(
    urls: dict[str, str], new_user: Callable[..., ApiUser], model_url: str, secret: str
) -> None:
    alice = new_user(api_url=urls["after"])
    first = alice.say("Say exactly: Ahoy").json()["conversation_id"]
    reply = alice.say(f"Say exactly: {secret}", first)
    assert reply.status_code == 422, reply.text
    question, answer = alice.messages(first)[2:]
    assert question["withheld"]
    assert (answer["content"], answer["tool_calls"], answer["withheld"]) == ("", [], True)
    marker = f"now{uuid.uuid4().hex}"
    assert alice.say(f"And {marker}?", first).status_code == 200
    assert secret not in requests_with(model_url, marker)
    assert conversation_of(alice)["title"] != "New conversation", "the first question was not refused"


def test_what_is_accepted_the_next_time_is_read_again(
    urls: dict[str, str], new_user: Callable[..., ApiUser], model_url: str, secret: str
) -> None:
    alice = new_user(api_url=urls["before"])
    alice.say(f"Remember {secret}")
    conversation = conversation_of(alice)["id"]
    answer = alice.messages(conversation)[1]["id"]
    SECRETS.remove(secret)
    assert alice.http.post(f"/conversations/{conversation}/messages/{answer}/regenerate").status_code == 200
    assert [message["withheld"] for message in alice.messages(conversation)] == [False, False]
    marker = f"now{uuid.uuid4().hex}"
    alice.say(f"And {marker}?", conversation)
    assert secret in requests_with(model_url, marker)


def test_no_text_is_shown_before_it_is_judged_where_answers_are_held(
    urls: dict[str, str], new_user: Callable[..., ApiUser], secret: str
) -> None:
    alice = new_user(api_url=urls["held"])
    refused = events(alice.say(f"Say exactly: {secret}", Accept="text/event-stream"))
    assert [name for name, _ in refused] == ["turn.created", "turn.failed"]
    accepted = events(alice.say("Say exactly: Ahoy", Accept="text/event-stream"))
    assert [name for name, _ in accepted] == ["turn.created", "turn.output_text.delta", "turn.completed"]
    assert accepted[1][1]["delta"] == accepted[2][1]["response"]
    open_ = new_user(api_url=urls["after"])
    shown = events(open_.say("Say exactly: one two three", Accept="text/event-stream"))
    assert len(shown) > 3, "without it, text is shown as it comes"
