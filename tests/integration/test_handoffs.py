"""Agents that hand the conversation over: those that take it have the limits and the tools of the first."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from agents import Agent, Handoff, RunContextWrapper, function_tool, handoff
from mcp_types import ListToolsResult

from local.serving import serve_in_thread
from parley.config import Settings
from parley.main import create_app
from parley.tools.api_client import ApiClient
from parley.tools.client_tools import client_tool
from parley.tools.remote import RemoteServer
from tests.conftest import ApiUser
from tests.integration.test_remote_mcp import UNAVAILABLE, Docs, remote, serving
from tests.integration.test_tools import babble, dawdle

ordered: list[tuple[str, str]] = []


@function_tool(needs_approval=True)
def order(context: RunContextWrapper[ApiClient], what: str) -> str:
    """Order something."""
    ordered.append((context.context.user_id, what))
    return f"ordered {what}"


OPEN = client_tool("open_page", "Open a page", {"type": "object", "properties": {}})


def custom(target: Agent[Any]) -> Handoff[Any, Agent[Any]]:
    """One that does not say beforehand where it leads."""

    async def invoke(_: RunContextWrapper[Any], __: str) -> Agent[Any]:
        return target

    schema = {"type": "object", "properties": {}, "additionalProperties": False, "required": []}
    return Handoff(f"transfer_to_{target.name}", "Hand over", schema, invoke, target.name)


def chain(make: Callable[[Agent[Any]], Any], *tools: Any) -> Agent[Any]:
    """`front` hands over to `middle`, that to `back`, which has the tools, and that to `front` again."""
    back = Agent[Any](name="back", tools=[*tools])
    front = Agent[Any](name="front", handoffs=[make(Agent[Any](name="middle", handoffs=[make(back)]))])
    back.handoffs = [make(front)]
    return front


def go(*tools: str) -> str:
    return ", then ".join(f"use the tool {tool}" for tool in tools)


TO_BACK = ("transfer_to_middle", "transfer_to_back")
ROUND = (*TO_BACK, "transfer_to_front", *TO_BACK)
KINDS = pytest.mark.parametrize(
    "make", [lambda agent: agent, handoff, custom], ids=["agent", "handoff", "custom"]
)


@pytest.fixture
def user_of(settings: Settings, new_user: Callable[..., ApiUser]) -> Iterator[Callable[..., ApiUser]]:
    """`user_of(agent, server…)`: somebody on an API with this agent."""
    with ExitStack() as stack:

        def make(agent: Agent[Any], *servers: RemoteServer, user_id: str | None = None) -> ApiUser:
            app = create_app(settings, agent, servers)
            return new_user(api_url=stack.enter_context(serve_in_thread(lambda _: app)), user_id=user_id)

        yield make


def call(user: ApiUser, message: str) -> dict[str, Any]:
    reply = user.say(message)
    assert reply.status_code == 200, reply.text
    return dict(reply.json()["tool_calls"][-1])


@KINDS
def test_its_tools_have_limits(
    user_of: Callable[..., ApiUser], monkeypatch: pytest.MonkeyPatch, make: Callable[[Agent[Any]], Any]
) -> None:
    monkeypatch.setattr("parley.tools.bounds.TIMEOUT_S", 0.5)
    ada = user_of(chain(make, babble, dawdle))
    for way in (TO_BACK, ROUND):
        slow = call(ada, go(*way, "dawdle"))
        assert (slow["name"], slow["status"]) == ("dawdle", "failed")
        assert "timed out" in slow["output"]
        long = call(ada, go(*way, "babble"))
        assert len(long["output"]) < 21_000
        assert long["output"].endswith("[… cut off: too long]")


@KINDS
def test_it_uses_remote_servers_connected_once_a_turn(
    user_of: Callable[..., ApiUser], make: Callable[[Agent[Any]], Any]
) -> None:
    class Counted(Docs):
        listed = 0

        async def _list(self, *_: Any) -> ListToolsResult:
            self.listed += 1
            return await super()._list()

    docs = Counted()
    with serving(docs) as url:
        ada = user_of(chain(make, dawdle), remote(url))
        assert "Found" in call(ada, go(*ROUND, "docs_search"))["output"]
        assert docs.listed == 1
        assert call(ada, go(*ROUND, "docs_huge"))["output"].endswith("[… cut off: too long]")
    assert call(ada, go(*ROUND, "docs_search"))["output"] == UNAVAILABLE


@pytest.mark.parametrize("make", [lambda agent: agent, handoff], ids=["agent", "handoff"])
def test_its_tool_waits_for_approval_in_any_process(
    user_of: Callable[..., ApiUser], make: Callable[[Agent[Any]], Any]
) -> None:
    with serving(Docs()) as url:
        starting = user_of(chain(make, order), remote(url))
        deciding = user_of(chain(make, order), remote(url), user_id=starting.id)
        ordered.clear()
        waiting = starting.say(
            go(*TO_BACK, 'order with {"what": "tea"}, then use the tool docs_search')
        ).json()
        assert waiting["status"] == "waiting_approval"
        assert ordered == []
        path = f"/conversations/{waiting['conversation_id']}/messages/{waiting['message_id']}/approval"
        reply = deciding.http.post(path, json={"approved": True}).json()
    assert ordered == [(starting.id, "tea")]
    assert [each["name"] for each in reply["tool_calls"]] == [*TO_BACK, "order", "docs_search"]
    assert {each["status"] for each in reply["tool_calls"]} == {"completed"}


def test_its_client_tool_is_one_to_chatkit(user_of: Callable[..., ApiUser]) -> None:
    ada = user_of(chain(handoff, OPEN))
    waiting = ada.say(go(*TO_BACK, "open_page")).json()
    assert waiting["status"] == "waiting_approval"
    request = {"type": "threads.get_by_id", "params": {"thread_id": waiting["conversation_id"]}}
    url = str(ada.http.base_url).split("/api/")[0] + "/api/chatkit"
    thread = ada.http.post(url, json=request).json()
    calls = [each for each in thread["items"]["data"] if each["type"] == "client_tool_call"]
    assert [(each["name"], each["status"]) for each in calls] == [("open_page", "pending")]


def test_a_conversation_goes_on_after_a_handoff(user_of: Callable[..., ApiUser]) -> None:
    ada = user_of(chain(handoff, babble))
    conversation_id = ada.say(f"My name is Ada. {go(*TO_BACK)}").json()["conversation_id"]
    assert "Ada" in ada.say("What is my name?", conversation_id).json()["response"]


# An agent used as a tool


def test_an_agent_used_as_a_tool_is_one_tool(
    user_of: Callable[..., ApiUser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley.tools.bounds.TIMEOUT_S", 1.5)
    helper = Agent[Any](name="Helper", tools=[dawdle])
    ada = user_of(Agent(name="Chief", tools=[helper.as_tool("help", "Help")]))
    slow = call(ada, f"use the tool help with {json.dumps({'input': 'use the tool dawdle'})}")
    assert (slow["name"], slow["status"]) == ("help", "failed")
    assert "timed out" in slow["output"]


def test_its_own_tools_have_limits(user_of: Callable[..., ApiUser]) -> None:
    helper = Agent[Any](name="Helper", tools=[babble])
    message = f"use the tool help with {json.dumps({'input': 'use the tool babble'})}"
    ada = user_of(Agent(name="Chief", tools=[helper.as_tool("help", "Help")]))
    output = call(ada, message)["output"]
    assert output.count("[… cut off: too long]") == 1


@function_tool
def soil() -> str:
    """Return what cannot be stored."""
    return "\x00\ud800" * 9


def chief(*tools: Any, depth: int = 1) -> Agent[Any]:
    """One that uses another as a tool, which has `tools`, or uses a third one, and so on."""
    for level in range(depth):
        helper = Agent[Any](name=f"Helper {level}", tools=[*tools])
        tools = (helper.as_tool(f"help_{level}", "Help"),)
    return Agent[Any](name="Chief", tools=[*tools])


def helping(message: str, depth: int = 1) -> str:
    for level in range(depth):
        message = f"use the tool help_{level} with {json.dumps({'input': message})}"
    return message


def decide(user: ApiUser, waiting: dict[str, Any], approved: bool, *calls: str) -> dict[str, Any]:
    path = f"/conversations/{waiting['conversation_id']}/messages/{waiting['message_id']}/approval"
    reply = user.http.post(path, json={"approved": approved} | ({"calls": calls} if calls else {}))
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


@pytest.mark.parametrize("approved", [True, False])
@pytest.mark.parametrize("depth", [1, 2])
def test_its_tool_waits_for_a_person_who_sees_the_call(
    depth: int, approved: bool, user_of: Callable[..., ApiUser]
) -> None:
    starting = user_of(chief(soil, order, depth=depth))
    deciding = user_of(chief(soil, order, depth=depth), user_id=starting.id)
    ordered.clear()
    waiting = starting.say(
        helping('use the tool soil and use the tool order with {"what": "tea"}', depth)
    ).json()
    assert waiting["status"] == "waiting_approval"
    assert [(each["name"], each["status"]) for each in waiting["tool_calls"]] == [
        (f"help_{depth - 1}", "in_progress"),
        ("order", "waiting_approval"),
    ]
    assert json.loads(waiting["tool_calls"][1]["arguments"]) == {"what": "tea"}
    assert starting.messages(waiting["conversation_id"])[1]["tool_calls"] == waiting["tool_calls"]
    assert ordered == []
    reply = decide(deciding, waiting, approved)
    assert reply["status"] == "completed"
    assert [(each["name"], each["status"]) for each in reply["tool_calls"]] == [
        (f"help_{depth - 1}", "completed"),
        ("order", "completed" if approved else "rejected"),
    ]
    assert ordered == ([(starting.id, "tea")] if approved else [])
    assert starting.messages(waiting["conversation_id"])[1]["tool_calls"] == reply["tool_calls"]
    assert starting.say("Say exactly: Ahoy", waiting["conversation_id"]).status_code == 200


def test_it_may_wait_more_than_once_and_beside_others(user_of: Callable[..., ApiUser]) -> None:
    @function_tool(needs_approval=True)
    def fetch(context: RunContextWrapper[ApiClient], what: str) -> str:
        """Fetch something."""
        ordered.append((context.context.user_id, what))
        return f"fetched {what}"

    ada = user_of(Agent[Any](name="Chief", tools=[*chief(fetch).tools, order]))
    ordered.clear()
    inner = helping('use the tool fetch with {"what": "tea"} and use the tool fetch with {"what": "milk"}')
    waiting = ada.say(f'{inner} then use the tool order with {{"what": "cake"}}').json()
    seen: list[str] = []
    while waiting["status"] == "waiting_approval":
        calls = [each for each in waiting["tool_calls"] if each["status"] == "waiting_approval"]
        assert calls
        assert len(seen) < 5
        seen.append(json.loads(calls[0]["arguments"])["what"])
        waiting = decide(ada, waiting, True, calls[0]["call_id"])
    assert seen == ["tea", "milk", "cake"]
    assert [what for _, what in ordered] == seen
    assert {each["status"] for each in waiting["tool_calls"]} == {"completed"}
    assert [each["name"] for each in waiting["tool_calls"]] == ["help_0", "fetch", "fetch", "order"]


def test_its_client_tool_is_one_to_chatkit_as_well(user_of: Callable[..., ApiUser]) -> None:
    ada = user_of(chief(OPEN))
    waiting = ada.say(helping(go("open_page"))).json()
    request = {"type": "threads.get_by_id", "params": {"thread_id": waiting["conversation_id"]}}
    url = str(ada.http.base_url).split("/api/")[0] + "/api/chatkit"
    items = ada.http.post(url, json=request).json()["items"]["data"]
    assert [each["name"] for each in items if each["type"] == "client_tool_call"] == ["open_page"]
