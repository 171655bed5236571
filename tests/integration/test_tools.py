"""The agent's tools: as the user, within bounds, and never as anybody else."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from agents import Agent, function_tool
from sqlalchemy import text

from parley.database import Database
from tests.conftest import ApiUser
from tests.integration.test_chat import events


def use(user: ApiUser, tool: str, where: str | None = None, /, **arguments: Any) -> str:
    """What the offline model answers after using a tool: what the tool returned."""
    reply = user.say(f"use the tool {tool} with {json.dumps(arguments)}", where)
    assert reply.status_code == 200, reply.text
    (call,) = reply.json()["tool_calls"]
    assert (call["name"], json.loads(call["arguments"])) == (tool, arguments)
    return str(call["output"])


def decide(user: ApiUser, waiting: dict[str, Any], approved: bool) -> dict[str, Any]:
    path = f"/conversations/{waiting['conversation_id']}/messages/{waiting['message_id']}/approval"
    reply = user.http.post(path, json={"approved": approved})
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def use_approved(user: ApiUser, tool: str, where: str | None = None, /, **arguments: Any) -> str:
    """As `use`, where the user is asked before and approves."""
    waiting = user.say(f"use the tool {tool} with {json.dumps(arguments)}", where).json()
    assert waiting["status"] == "waiting_approval"
    (call,) = decide(user, waiting, approved=True)["tool_calls"]
    return str(call["output"])


@pytest.fixture(scope="module", params=["responses", "chat_completions"])
def url(request: pytest.FixtureRequest, serve_api: Callable[..., str]) -> str:
    """A server that speaks one of the two protocols with the model."""
    return serve_api(openai_api=request.param)


@pytest.fixture
def ada(url: str, new_user: Callable[..., ApiUser]) -> ApiUser:
    return new_user("ada", api_url=url)


def test_the_agent_finds_reads_and_renames_what_its_user_said(ada: ApiUser) -> None:
    earlier = ada.say("Say exactly: we decided to paint the ferry green").json()["conversation_id"]
    found = json.loads(use(ada, "search_conversations", words="ferry green"))
    assert earlier in [each["id"] for each in found]
    assert "paint the ferry green" in use(ada, "read_conversation", conversation_id=earlier)
    assert "Ferry" in use_approved(ada, "rename_conversation", conversation_id=earlier, title="Ferry")
    assert ada.http.get(f"/conversations/{earlier}").json()["title"] == "Ferry"
    assert earlier in use(ada, "list_recent_conversations")


def test_this_conversation_is_known_out_of_band(ada: ApiUser) -> None:
    conversation_id = ada.say("Hello").json()["conversation_id"]
    use_approved(ada, "rename_conversation", conversation_id, conversation_id="this", title="Mine")
    assert ada.http.get(f"/conversations/{conversation_id}").json()["title"] == "Mine"


def test_a_conversation_goes_on_after_tool_calls(ada: ApiUser) -> None:
    conversation_id = ada.say("My name is Ada").json()["conversation_id"]
    use(ada, "current_time", conversation_id, timezone="Europe/Berlin")
    assert "Ada" in ada.say("What is my name?", conversation_id).json()["response"]
    answer = ada.messages(conversation_id)[3]
    assert answer["tool_calls"][0]["status"] == "completed"


def test_what_was_decided_elsewhere_is_found_and_a_wrong_id_fails(ada: ApiUser) -> None:
    ada.say("Say exactly: we decided to paint the lighthouse red")
    answer = ada.say("What did we decide about the lighthouse last week?").json()
    assert answer["tool_calls"][0]["name"] == "search_conversations"
    assert "red" in answer["response"]
    (call,) = ada.say('use the tool read_conversation with {"conversation_id": "x"}').json()["tool_calls"]
    assert (call["status"], call["output"]) == ("failed", "This is not the id of a conversation.")


def test_nobody_elses_conversation_is_reached(ada: ApiUser, bob: ApiUser) -> None:
    secret = bob.say("Say exactly: the treasure is under the oak").json()["conversation_id"]
    for output in (
        use(ada, "read_conversation", conversation_id=secret),
        use_approved(ada, "rename_conversation", conversation_id=secret, title="Stolen"),
        use_approved(ada, "delete_conversation", conversation_id=secret),
        use(ada, "search_conversations", words="treasure oak"),
        use(ada, "read_conversation", conversation_id=f"../../{bob.id}/conversations/{secret}"),
    ):
        assert "under the oak" not in output
    assert bob.http.get(f"/conversations/{secret}").json()["title"] != "Stolen"


def test_a_conversation_is_exported_piece_by_piece_without_what_is_withheld(
    ada: ApiUser, database: Database
) -> None:
    key = "-----BEGIN PRIVATE KEY-----"
    conversation_id = ada.say("Say exactly: the ferry is green").json()["conversation_id"]
    assert ada.say(f"{key} {'y' * 25_000}", conversation_id).status_code == 422
    ada.say("Say exactly: and the oars are red", conversation_id)
    ada.http.patch(f"/conversations/{conversation_id}", json={"title": "Ferries"})
    # One record holds 20,000 characters of a message.
    answer = ada.messages(conversation_id)[-1]
    longer = text(
        "update message set content = content || repeat(:more, 2500) || 'end' where id = :id returning 1"
    )
    database.rows(ada.id, longer, {"more": "0123456789", "id": answer["id"]})
    exported, start = "", 0
    while True:
        part = use(ada, "export_conversation", conversation_id=conversation_id, start=start)
        piece, more, rest = part.partition("\n[… there is more: start=")
        exported += piece
        if not more:
            break
        start = int(rest.removesuffix("]"))
    assert exported.startswith("# Ferries\n\n## user, ")
    assert exported.endswith("0123456789" * 2_500 + "end")
    for said in ("the ferry is green", "and the oars are red"):
        assert said in exported
    assert key not in exported
    assert "yyy" not in exported


def test_a_conversation_is_changed_only_with_its_users_approval(ada: ApiUser) -> None:
    conversation_id = ada.say("Hello").json()["conversation_id"]
    address = f"/conversations/{conversation_id}"
    title = ada.http.get(address).json()["title"]
    for tool, arguments in (
        ("rename_conversation", {"conversation_id": conversation_id, "title": "Mine"}),
        ("delete_conversation", {"conversation_id": conversation_id}),
    ):
        waiting = ada.say(f"use the tool {tool} with {json.dumps(arguments)}").json()
        assert waiting["status"] == "waiting_approval"
        rejected = decide(ada, waiting, approved=False)
        assert rejected["tool_calls"][0]["status"] == "rejected"
    assert ada.http.get(address).json()["title"] == title
    assert "deleted" in use_approved(ada, "delete_conversation", conversation_id=conversation_id)
    assert ada.http.get(address).status_code == 404


def test_the_present_conversation_is_not_deleted_by_its_own_agent(ada: ApiUser) -> None:
    conversation_id = ada.say("Hello").json()["conversation_id"]
    said = use_approved(ada, "delete_conversation", conversation_id, conversation_id=conversation_id)
    assert said == "The present conversation cannot be deleted while you answer in it."
    assert len(ada.messages(conversation_id)) == 4


@pytest.mark.parametrize(
    "arguments",
    [
        {"words": "treasure", "user_id": "bob"},
        {"words": "treasure", "caller": "bob"},
        {"words": "treasure", "context": {"user_id": "bob"}},
    ],
)
def test_arguments_do_not_say_who_is_asking(ada: ApiUser, bob: ApiUser, arguments: dict[str, Any]) -> None:
    bob.say("Say exactly: the treasure is under the oak")
    reply = ada.say(f"use the tool search_conversations with {json.dumps(arguments)}")
    assert "oak" not in reply.text


def test_tool_calls_are_streamed_as_they_happen(ada: ApiUser) -> None:
    reply = ada.say('use the tool current_time with {"timezone": "UTC"}', Accept="text/event-stream")
    calls = [data for name, data in events(reply) if name == "turn.tool_call"]
    assert [call["status"] for call in calls] == ["in_progress", "completed"]
    assert {call["name"] for call in calls} == {"current_time"}
    assert calls[0]["call_id"] == calls[1]["call_id"]
    assert "UTC" in calls[1]["output"]
    assert calls[0]["duration_ms"] is None
    ended = events(reply)[-1][1]
    assert ended["tool_calls"] == [calls[1]]
    assert ada.messages(ended["conversation_id"])[1]["tool_calls"] == [calls[1]]


@function_tool
async def nap(ms: int) -> str:
    """Rest."""
    await asyncio.sleep(ms / 1000)
    return f"rested {ms} ms"


def test_each_call_is_timed_by_itself_and_its_time_kept(
    serve_api: Callable[..., str], new_user: Callable[..., ApiUser]
) -> None:
    rested = new_user(api_url=serve_api(Agent(name="Rested", tools=[nap])))
    both = 'use the tool nap with {"ms": 20} and use the tool nap with {"ms": 300}'
    reply = rested.say(both).json()
    short, long = (call["duration_ms"] for call in reply["tool_calls"])
    assert 20 <= short < 300 <= long < 2_000
    assert rested.messages(reply["conversation_id"])[1]["tool_calls"] == reply["tool_calls"]


def test_how_a_call_went_is_not_told_to_the_model(ada: ApiUser, model_url: str) -> None:
    conversation_id = ada.say('use the tool current_time with {"timezone": "UTC"}').json()["conversation_id"]
    httpx.delete(f"{model_url}/log")
    ada.say("Say exactly: onwards", conversation_id)
    bodies = [str(each["body"]) for each in httpx.get(f"{model_url}/log").json()["requests"]]
    (replayed,) = [body for body in bodies if "onwards" in body and "Write a title" not in body]
    assert "current_time" in replayed
    assert "outcome" not in replayed
    assert "duration" not in replayed


@function_tool
def explode() -> str:
    """Fails."""
    raise RuntimeError("secret-cause")


@function_tool
async def dawdle() -> str:
    """Takes for ever."""
    await asyncio.sleep(60)
    return "done"


@function_tool
def babble() -> str:
    """Says too much."""
    return "bla " * 50_000


@pytest.fixture(scope="module")
def odd_tools(serve_api: Callable[..., str]) -> str:
    return serve_api(Agent(name="Odd", tools=[explode, babble]))


def test_a_tool_that_fails_does_not_fail_the_turn(odd_tools: str, new_user: Callable[..., ApiUser]) -> None:
    ada = new_user(api_url=odd_tools)
    assert "error" in use(ada, "explode").lower()
    conversation_id = ada.http.get("/conversations").json()["data"][0]["id"]
    assert ada.messages(conversation_id)[1]["tool_calls"][0]["status"] == "failed"


def test_a_tool_that_does_not_exist_is_told_to_the_agent(ada: ApiUser) -> None:
    reply = ada.say("[offline: tool=nothing] Hello")
    assert reply.status_code == 200, reply.text
    (call,) = reply.json()["tool_calls"]
    assert (call["name"], call["status"], call["duration_ms"]) == ("nothing", "failed", None)
    assert "not found" in call["output"]


def test_a_tool_that_hangs_is_given_up(
    serve_api: Callable[..., str], new_user: Callable[..., ApiUser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley.tools.bounds.TIMEOUT_S", 0.5)
    ada = new_user(api_url=serve_api(Agent(name="Slow", tools=[dawdle])))
    (call,) = ada.say("use the tool dawdle").json()["tool_calls"]
    assert "timed out" in call["output"]
    assert call["status"] == "failed"
    assert 500 <= call["duration_ms"] < 5_000


def test_what_a_tool_returns_is_cut_off(odd_tools: str, new_user: Callable[..., ApiUser]) -> None:
    output = use(new_user(api_url=odd_tools), "babble")
    assert len(output) < 21_000
    assert output.endswith("[… cut off: too long]")


def test_an_endless_loop_ends_readably_and_its_cost_is_recorded(ada: ApiUser) -> None:
    reply = ada.say("[offline: loop] Hello")
    assert (reply.status_code, reply.json()["type"]) == (502, "/problems/agent-exhausted")
    conversation_id = ada.http.get("/conversations").json()["data"][0]["id"]
    answer = ada.messages(conversation_id)[1]
    assert answer["status"] == "failed"
    assert len(answer["tool_calls"]) >= 5
    assert answer["usage"]["output_tokens"] > 0
    assert ada.say("Say exactly: onwards", conversation_id).status_code == 200


def test_a_turn_that_costs_too_much_ends(
    serve_api: Callable[..., str], new_user: Callable[..., ApiUser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley.services.agent_service.MAX_TURN_TOKENS", 300)
    reply = new_user(api_url=serve_api()).say("[offline: loop] Hello")
    assert (reply.status_code, reply.json()["type"]) == (502, "/problems/agent-exhausted")


def test_a_message_with_a_private_key_never_reaches_the_model(ada: ApiUser, model_url: str) -> None:
    httpx.delete(f"{model_url}/log")
    reply = ada.say("-----BEGIN RSA PRIVATE KEY-----\nMIIE")
    assert (reply.status_code, reply.json()["type"]) == (422, "/problems/content-refused")
    assert "private key" in reply.json()["detail"]
    requests = httpx.get(f"{model_url}/log").json()["requests"]
    assert [each for each in requests if "Write a title" not in str(each["body"])] == []
