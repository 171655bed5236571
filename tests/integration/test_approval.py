"""A tool that needs approval stops the turn; a person decides, at any time, in any process."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from agents import Agent, GuardrailFunctionOutput, RunContextWrapper, function_tool, input_guardrail
from sqlalchemy import text

from parley.database import Database
from parley.tools.api_client import ApiClient
from tests.conftest import ApiUser
from tests.integration.test_chat import events
from tests.integration.test_turns import wait_for

pytestmark = pytest.mark.both_transports

done: list[tuple[str, str]] = []


@function_tool
async def look(what: str) -> str:
    """Look at something. It is free."""
    await asyncio.sleep(0.05)
    return f"saw {what}"


@function_tool(needs_approval=True)
def order(context: RunContextWrapper[ApiClient], what: str) -> str:
    """Order something. It costs money."""
    done.append((context.context.user_id, what))
    return f"ordered {what}"


def make_agent() -> Agent[Any]:
    return Agent(name="Shop", tools=[look, order])


@pytest.fixture(scope="module")
def shops(serve_api: Callable[..., str]) -> tuple[str, str]:
    """Two processes' worth of servers, which share nothing but the database."""
    return serve_api(make_agent()), serve_api(make_agent())


@pytest.fixture
def alice(shops: tuple[str, str], new_user: Callable[..., ApiUser]) -> ApiUser:
    return new_user(api_url=shops[0])


@pytest.fixture
def waiting(alice: ApiUser) -> dict[str, Any]:
    """The reply of a turn that waits."""
    done.clear()
    reply = alice.say('use the tool order with {"what": "tea"}')
    assert reply.status_code == 200, reply.text
    body = dict(reply.json())
    assert body["status"] == "waiting_approval"
    return body


def path(waiting: dict[str, Any]) -> str:
    return f"/conversations/{waiting['conversation_id']}/messages/{waiting['message_id']}/approval"


def decide(user: ApiUser, waiting: dict[str, Any], approved: Any, **headers: str) -> httpx.Response:
    return user.http.post(path(waiting), json={"approved": approved}, headers=headers)


def test_the_turn_stops_and_says_what_it_wants_to_do(alice: ApiUser, waiting: dict[str, Any]) -> None:
    (call,) = waiting["tool_calls"]
    assert (call["name"], json.loads(call["arguments"])) == ("order", {"what": "tea"})
    assert (call["status"], call["output"]) == ("waiting_approval", None)
    assert done == []
    stored = alice.messages(waiting["conversation_id"])[1]
    assert (stored["status"], stored["tool_calls"]) == ("waiting_approval", waiting["tool_calls"])


def test_an_approved_call_is_made_once_and_the_answer_goes_on(
    alice: ApiUser, waiting: dict[str, Any]
) -> None:
    reply = decide(alice, waiting, approved=True)
    assert (reply.status_code, reply.json()["status"]) == (200, "completed")
    assert reply.json()["message_id"] == waiting["message_id"]
    (call,) = reply.json()["tool_calls"]
    assert (call["output"], call["status"]) == ("ordered tea", "completed")
    assert call["duration_ms"] is not None
    assert alice.messages(waiting["conversation_id"])[1]["tool_calls"] == [call]
    again = decide(alice, waiting, approved=True)
    assert again.content == reply.content
    assert again.headers["idempotency-replayed"] == "true"
    assert done == [(alice.id, "tea")]
    assert len(alice.messages(waiting["conversation_id"])) == 2


def test_the_same_key_finds_the_turn_waiting(alice: ApiUser) -> None:
    done.clear()
    key = {"Idempotency-Key": "k"}
    first = alice.say('use the tool order with {"what": "tea"}', **key)
    again = alice.say('use the tool order with {"what": "tea"}', **key)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert decide(alice, first.json(), approved=True).json()["status"] == "completed"
    assert done == [(alice.id, "tea")]


def test_a_rejected_call_is_not_made_and_the_answer_goes_on(alice: ApiUser, waiting: dict[str, Any]) -> None:
    reply = decide(alice, waiting, approved=False)
    assert (reply.status_code, reply.json()["status"]) == (200, "completed")
    assert done == []
    assert "ordered" not in reply.json()["response"]
    (call,) = reply.json()["tool_calls"]
    assert (call["status"], call["duration_ms"]) == ("rejected", None)
    assert alice.messages(waiting["conversation_id"])[1]["tool_calls"] == [call]


def test_a_turn_may_wait_more_than_once_and_keeps_what_it_did_before(alice: ApiUser) -> None:
    done.clear()
    steps = ("look", "tea"), ("order", "tea"), ("order", "milk")
    message = " then ".join(f'use the tool {tool} with {{"what": "{what}"}}' for tool, what in steps)
    first = alice.say(message).json()
    assert [call["status"] for call in first["tool_calls"]] == ["completed", "waiting_approval"]
    second = decide(alice, first, approved=True).json()
    assert second["status"] == "waiting_approval"
    assert [call["status"] for call in second["tool_calls"]] == ["completed", "completed", "waiting_approval"]
    assert second["tool_calls"][0] == first["tool_calls"][0]
    assert second["tool_calls"][0]["duration_ms"] >= 50
    assert alice.messages(first["conversation_id"])[1]["tool_calls"] == second["tool_calls"]
    last = decide(alice, second, approved=False).json()
    assert [call["status"] for call in last["tool_calls"]] == ["completed", "completed", "rejected"]
    assert last["tool_calls"][:2] == second["tool_calls"][:2]
    assert done == [(alice.id, "tea")]


def test_a_decision_made_late_or_sent_twice_is_about_what_was_asked_then(alice: ApiUser) -> None:
    done.clear()
    steps = ("order", "tea"), ("order", "milk")
    first = alice.say(
        " then ".join(f'use the tool {tool} with {{"what": "{what}"}}' for tool, what in steps)
    ).json()
    (call_id,) = (call["call_id"] for call in first["tool_calls"])

    def approve(key: str, calls: list[str] | None) -> Any:
        body = {"approved": True, "calls": calls}
        return alice.http.post(path(first), json=body, headers={"Idempotency-Key": key})

    assert approve("once", [call_id]).json()["status"] == "waiting_approval"
    for key, calls in (("once", [call_id]), ("once", None), ("late", [call_id])):
        reply = approve(key, calls)
        assert (reply.status_code, reply.json()["status"]) == (200, "waiting_approval")
        assert ("idempotency-replayed" in reply.headers) == (key == "once")
    assert done == [(alice.id, "tea")]
    refused = alice.http.post(path(first), json={"approved": False}, headers={"Idempotency-Key": "late"})
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert approve("new", None).json()["status"] == "completed"
    assert done == [(alice.id, "tea"), (alice.id, "milk")]


def test_what_was_done_before_the_decision_is_there_while_the_rest_runs(
    shops: tuple[str, str], alice: ApiUser
) -> None:
    done.clear()
    message = 'use the tool look with {"what": "tea"} then use the tool order with {"what": "tea"}'
    first = alice.say(f"[offline: word=400] {message}").json()
    with alice.http.stream(
        "POST", path(first), json={"approved": True}, headers={"Accept": "text/event-stream"}
    ) as stream:
        lines = stream.iter_lines()
        assert any("ordered tea" in line for line in lines)
        deadline = time.monotonic() + 10
        while (calls := alice.messages(first["conversation_id"])[1]["tool_calls"])[1]["output"] is None:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert [call["status"] for call in calls] == ["completed", "completed"]
        assert calls[0] == first["tool_calls"][0]


def test_another_process_goes_on_from_what_is_stored(
    shops: tuple[str, str], new_user: Callable[..., ApiUser], alice: ApiUser, waiting: dict[str, Any]
) -> None:
    elsewhere = new_user(api_url=shops[1], user_id=alice.id)
    assert decide(elsewhere, waiting, approved=True).json()["status"] == "completed"
    assert done == [(alice.id, "tea")]


def test_the_rest_is_streamed(alice: ApiUser, waiting: dict[str, Any]) -> None:
    names = [name for name, _ in events(decide(alice, waiting, approved=True, Accept="text/event-stream"))]
    assert names[0] == "turn.created"
    assert "turn.tool_call" in names
    assert names[-1] == "turn.completed"


def test_a_stream_ends_where_it_waits(alice: ApiUser) -> None:
    reply = alice.say('use the tool order with {"what": "tea"}', Accept="text/event-stream")
    name, data = events(reply)[-1]
    assert (name, data["status"]) == ("turn.waiting_approval", "waiting_approval")


def test_going_on_without_deciding_decides_against_it(alice: ApiUser, waiting: dict[str, Any]) -> None:
    reply = alice.say("Never mind. My name is Ada", waiting["conversation_id"])
    assert reply.status_code == 200, reply.text
    stored = alice.messages(waiting["conversation_id"])[1]
    assert (stored["status"], stored["tool_calls"][0]["status"]) == ("cancelled", "rejected")
    assert decide(alice, waiting, approved=True).json()["status"] == "cancelled"
    assert done == []
    assert "Ada" in alice.say("What is my name?", waiting["conversation_id"]).json()["response"]


@pytest.mark.parametrize("approved", ["yes", "true", "", 1, 0, 1.0, None, [True], {}])
def test_a_decision_is_yes_or_no(alice: ApiUser, waiting: dict[str, Any], approved: Any) -> None:
    assert decide(alice, waiting, approved).status_code == 422
    assert done == []
    assert alice.messages(waiting["conversation_id"])[1]["status"] == "waiting_approval"


def test_nobody_else_decides(
    alice: ApiUser, waiting: dict[str, Any], shops: tuple[str, str], bob: ApiUser
) -> None:
    url = f"{shops[0]}/api/{bob.id}{path(waiting)}"
    reply = httpx.post(url, json={"approved": True}, headers={"Authorization": f"Bearer {bob.token}"})
    assert reply.status_code == 403
    assert done == []
    assert alice.messages(waiting["conversation_id"])[1]["status"] == "waiting_approval"


def test_the_stored_state_holds_no_token(alice: ApiUser, waiting: dict[str, Any], database: Database) -> None:
    rows = database.rows(
        alice.id,
        text("select run_state::text from message where run_state is not null and user_id = :u"),
        {"u": alice.id},
    )
    assert len(rows) == 1
    assert alice.token not in rows[0][0]


def test_both_parts_of_a_turn_are_charged_once(
    alice: ApiUser, waiting: dict[str, Any], database: Database
) -> None:
    titled = text("select titled, (select count(*) from follow_up where not settled) from conversation")
    wait_for(lambda: database.rows(alice.id, titled) == [(True, 0)])
    usage = text("select sum(turns), sum(input_tokens), sum(output_tokens) from usage")
    before = database.rows(alice.id, usage)[0]
    reply = decide(alice, waiting, approved=True).json()["usage"]
    after = database.rows(alice.id, usage)[0]
    assert (before[0], after[0]) == (1, 1)
    assert after[1] - before[1] == reply["input_tokens"] - waiting["usage"]["input_tokens"]
    assert after[2] - before[2] == reply["output_tokens"] - waiting["usage"]["output_tokens"]


def test_what_a_turn_costs_is_bounded_however_often_it_waits(
    alice: ApiUser, waiting: dict[str, Any], database: Database
) -> None:
    spent = text("update message set input_tokens = :most, output_tokens = :most where id = :id returning id")
    database.rows(alice.id, spent, {"most": 2**31 - 5, "id": waiting["message_id"]})
    reply = decide(alice, waiting, approved=True)
    assert reply.status_code == 200, reply.text
    assert reply.json()["usage"]["input_tokens"] == reply.json()["usage"]["output_tokens"] == 2**31 - 1
    assert alice.messages(waiting["conversation_id"])[1]["usage"] == reply.json()["usage"]


def test_whatever_is_in_its_state_a_turn_can_wait(
    serve_api: Callable[..., str], new_user: Callable[..., ApiUser]
) -> None:
    @input_guardrail
    def judge(_context: Any, _agent: Any, _given: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(output_info={"\x00": "\ud800"}, tripwire_triggered=False)

    done.clear()
    alice = new_user(api_url=serve_api(Agent[Any](name="Shop", tools=[order], input_guardrails=[judge])))
    waiting = alice.say('use the tool order with {"what": "tea"}').json()
    assert waiting["status"] == "waiting_approval"
    assert decide(alice, waiting, approved=True).json()["status"] == "completed"
    assert done == [(alice.id, "tea")]
