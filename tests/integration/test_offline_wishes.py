"""The sentences of the offline model in the API, with the agent of `make dev`."""

from collections.abc import Callable

import pytest

from local.demo.agent import agent
from tests.conftest import ApiUser
from tests.integration.test_tools import decide

KEY = {"Idempotency-Key": "k1"}


@pytest.fixture(scope="module", params=["responses", "chat_completions"])
def url(request: pytest.FixtureRequest, serve_api: Callable[..., str]) -> str:
    return serve_api(agent, openai_api=request.param, turn_deadline_s=4)


@pytest.fixture
def ada(url: str, new_user: Callable[..., ApiUser]) -> ApiUser:
    return new_user("ada", api_url=url)


@pytest.mark.parametrize(
    ("message", "status", "problem"),
    [
        ("Fail in the middle of your answer", 502, "model-failed"),
        ("Lose the connection in the middle", 502, "model-failed"),
        ("Be too busy to answer", 503, "model-busy"),
        ("Be unavailable", 502, "model-failed"),
        ("Refuse to answer", 422, "content-refused"),
        ("Say nothing at all", 502, "model-failed"),
        ("Talk rubbish", 502, "model-failed"),
        ("Fall silent in the middle", 504, "deadline-exceeded"),
        ("Never answer", 504, "deadline-exceeded"),
    ],
)
def test_a_fault_that_is_asked_for_is_over_when_it_is_tried_again(
    ada: ApiUser, message: str, status: int, problem: str
) -> None:
    failed = ada.say(message, **KEY)
    assert (failed.status_code, failed.json()["type"]) == (status, f"/problems/{problem}")
    again = ada.say(message, **KEY)
    assert again.status_code == 200, again.text
    assert "went well" in again.json()["response"]


@pytest.mark.parametrize(
    ("message", "status", "problem"),
    [
        ("Say that our talk is too long for you", 422, "context-too-long"),
        ("Never stop calling tools", 502, "agent-exhausted"),
    ],
)
def test_a_fault_that_lasts(ada: ApiUser, message: str, status: int, problem: str) -> None:
    for _ in range(2):
        failed = ada.say(message, **KEY)
        assert (failed.status_code, failed.json()["type"]) == (status, f"/problems/{problem}")


def test_an_answer_stops_before_its_end_and_goes_on(ada: ApiUser) -> None:
    cut = ada.say("Stop before the end of your answer").json()
    assert cut["incomplete"] == "length"
    rest = ada.say("Go on.", cut["conversation_id"]).json()
    assert rest["incomplete"] is None
    assert rest["response"].endswith("This is the end.")


def test_an_earlier_conversation_is_found_and_linked(ada: ApiUser) -> None:
    earlier = ada.say("I build wooden boats").json()["conversation_id"]
    answer = ada.say("find my talk about boats").json()
    assert answer["response"].startswith("I found one conversation:")
    assert f"](/chat/{earlier}): " in answer["response"]


def test_a_conversation_is_renamed_when_its_user_approves(ada: ApiUser) -> None:
    waiting = ada.say("call this Sea trip").json()
    assert waiting["status"] == "waiting_approval"
    assert "Sea trip" in decide(ada, waiting, approved=True)["response"]
    assert ada.http.get(f"/conversations/{waiting['conversation_id']}").json()["title"] == "Sea trip"


def test_two_postcards_wait_together(ada: ApiUser) -> None:
    waiting = ada.say("Ask for two approvals at once").json()
    assert [call["status"] for call in waiting["tool_calls"]] == ["waiting_approval"] * 2
    answer = decide(ada, waiting, approved=True)["response"]
    assert answer == "The postcard to Grace is on its way.\n\nThe postcard to Bob is on its way."


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("What time is it in Berlin?", "In Berlin it is "),
        ("Make three tool calls at once", "- In New York it is "),
        ("Take a nap for 1 second", "Rested 1 s."),
        ("Use a tool that fails", "An error occurred"),
        ("Call a tool that does not exist", "not found"),
        ("List my latest conversations", "](/chat/"),
    ],
)
def test_the_agents_tools_are_used(ada: ApiUser, message: str, expected: str) -> None:
    reply = ada.say(message)
    assert reply.status_code == 200, reply.text
    assert expected in reply.json()["response"]
