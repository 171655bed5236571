"""What a user sets for all conversations: their own instructions, and the model of new conversations."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from agents import Agent
from pydantic import SecretStr
from sqlalchemy import text

from local.postgres import Postgres
from parley.config import Settings
from parley.database import Database
from parley.main import create_app
from parley.services.history import OWN_INSTRUCTIONS
from tests.conftest import ApiUser
from tests.load.statements import CountingProxy

pytestmark = pytest.mark.both_transports


def change(user: ApiUser, **changes: Any) -> dict[str, Any]:
    reply = user.http.patch("/settings", json=changes)
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def test_settings_are_kept_each_by_itself(alice: ApiUser, bob: ApiUser) -> None:
    nothing = {"instructions": None, "model": None}
    assert alice.http.get("/settings").json() == nothing
    assert change(alice) == nothing
    own = "Ruf mich Ada. 🦜\nSei kurz.".ljust(1_500, "🦜")
    assert change(alice, instructions=own) == {"instructions": own, "model": None}
    assert change(alice, model="offline") == {"instructions": own, "model": "offline"}
    assert change(alice) == alice.http.get("/settings").json() == {"instructions": own, "model": "offline"}
    assert change(alice, instructions=None) == {"instructions": None, "model": "offline"}
    assert bob.http.get("/settings").json() == nothing


@pytest.mark.parametrize(
    "body",
    [
        *({"instructions": each} for each in ("", " \n", "x" * 1_501, "a\x00b", 7, ["x"])),
        *({"model": each} for each in ("", "another", "offline ", 7)),
        {"owner": "bob"},
        [],
    ],
)
def test_settings_that_are_none_are_refused(alice: ApiUser, body: Any) -> None:
    reply = alice.http.patch("/settings", json=body)
    assert (reply.status_code, reply.json()["type"]) == (422, "/problems/validation")
    assert alice.http.get("/settings").json() == {"instructions": None, "model": None}


def told(model_url: str, user: ApiUser, message: str, conversation_id: str | None = None) -> str:
    """What the model is told for an answer to `message`, as the provider gets it."""
    httpx.delete(f"{model_url}/log")
    assert user.say(message, conversation_id).status_code == 200
    bodies = [str(each["body"]) for each in httpx.get(f"{model_url}/log").json()["requests"]]
    (body,) = [body for body in bodies if "Write a title" not in body]
    return body


@pytest.mark.parametrize("openai_api", ["responses", "chat_completions"])
def test_the_agent_is_told_the_users_own_instructions(
    openai_api: str, serve_api: Callable[..., str], new_user: Callable[..., ApiUser], model_url: str
) -> None:
    agent = Agent[Any](name="Plain", instructions="Be kind.")
    url = serve_api(agent, openai_api=openai_api)
    ada, bea = new_user("ada", api_url=url), new_user("bea", api_url=url)
    change(ada, instructions="Call me Ada.\nAnswer in rhymes.")
    fenced = repr(f"Be kind.\n\n{OWN_INSTRUCTIONS}> Call me Ada.\n> Answer in rhymes.")[1:-1]
    assert fenced in told(model_url, ada, "Hello")
    assert "rhymes" not in told(model_url, bea, "Hello")
    # For each turn as they are then.
    conversation_id = ada.http.get("/conversations").json()["data"][0]["id"]
    change(ada, instructions="Answer in prose.")
    body = told(model_url, ada, "And now?", conversation_id)
    assert "> Answer in prose." in body
    assert "rhymes" not in body
    change(ada, instructions=None)
    assert "preferences" not in told(model_url, ada, "And now?", conversation_id)


def test_who_is_handed_the_conversation_is_told_them_too(
    serve_api: Callable[..., str], new_user: Callable[..., ApiUser], model_url: str
) -> None:
    other = Agent[Any](name="Other", instructions="You are the other.")
    url = serve_api(Agent[Any](name="First", instructions="You are the first.", handoffs=[other]))
    ada = new_user(api_url=url)
    change(ada, instructions="Answer in rhymes.")
    httpx.delete(f"{model_url}/log")
    ada.say("use the tool transfer_to_other with {}")
    bodies = [str(each["body"]) for each in httpx.get(f"{model_url}/log").json()["requests"]]
    (body,) = [body for body in bodies if "You are the other." in body]
    assert "> Answer in rhymes." in body


def test_an_agent_file_can_leave_them_out(settings: Settings, tmp_path: Any) -> None:
    file = tmp_path / "agent.py"
    declared = 'from agents import Agent\nagent = Agent(name="Plain")\n'
    for line, on in (("", True), ("user_instructions = False", False)):
        file.write_text(declared + line)
        assert create_app(settings, agent_file=file).state.services.turns.user_instructions is on


def test_a_turn_with_them_is_two_statements_and_reserves_for_them(
    postgres: Postgres, database: Database, serve_api: Callable[..., str], new_user: Callable[..., ApiUser]
) -> None:
    address = urlsplit(postgres.app_url)
    proxy = CountingProxy((str(address.hostname), int(address.port or 0)))
    with proxy.listen() as port:
        login = address.netloc.rpartition("@")[0]
        url = SecretStr(address._replace(netloc=f"{login}@127.0.0.1:{port}").geturl())
        ada = new_user(api_url=serve_api(database_url=url, database_transport="tcp"))
        conversation_id = ada.say("Hello").json()["conversation_id"]
        ada.http.patch(f"/conversations/{conversation_id}", json={"title": "Has one"})
        change(ada, instructions="x" * 1_500, model="offline")
        ada.say("And now", conversation_id)
        before = proxy.executed["statement"], proxy.traffic.round_trips
        reply = ada.say("Go on", conversation_id)
        after = proxy.executed["statement"], proxy.traffic.round_trips
        assert reply.status_code == 200
        assert (after[0] - before[0], after[1] - before[1]) == (2, 2)
        # Settings themselves are one.
        change(ada, model=None)
        assert proxy.executed["statement"] - after[0] == 1
    spent = text("select sum(input_tokens) from usage where user_id = :id")
    assert database.rows(ada.id, spent, {"id": ada.id})[0][0] > 2 * 1_500 / 4


def models_of(user: ApiUser, conversation_id: str) -> list[str]:
    """The models of the answers."""
    return [each["usage"]["model"] for each in user.messages(conversation_id) if each["role"] == "assistant"]


OTHER = "offline:word=1"


@pytest.fixture(scope="module")
def url(serve_api: Callable[..., str]) -> str:
    return serve_api(openai_model=f"offline,{OTHER}")


@pytest.fixture
def ada(url: str, new_user: Callable[..., ApiUser]) -> ApiUser:
    return new_user("ada", api_url=url)


def chat(user: ApiUser, message: str, **body: Any) -> httpx.Response:
    key = body.pop("key", None)
    headers = {"Idempotency-Key": key} if key else {}
    return user.http.post("/chat", json={"message": message, **body}, headers=headers)


def test_a_turn_takes_a_model_and_its_conversation_remembers_it(ada: ApiUser, database: Database) -> None:
    first = chat(ada, "Hello").json()
    conversation_id = first["conversation_id"]
    address = f"/conversations/{conversation_id}"
    assert (first["usage"]["model"], ada.http.get(address).json()["model"]) == ("offline", None)
    assert chat(ada, "Again", conversation_id=conversation_id, model=OTHER).json()["usage"]["model"] == OTHER
    assert ada.http.get(address).json()["model"] == OTHER
    chat(ada, "And again", conversation_id=conversation_id)
    assert models_of(ada, conversation_id) == ["offline", OTHER, OTHER]
    answer, question = first["message_id"], ada.messages(conversation_id)[2]["id"]
    edited = ada.http.post(f"{address}/messages/{question}/edit", json={"message": "x", "model": "offline"})
    assert edited.json()["usage"]["model"] == "offline"
    assert ada.http.get(address).json()["model"] == "offline"
    again = ada.http.post(f"{address}/messages/{answer}/regenerate", json={"model": OTHER})
    assert again.json()["usage"]["model"] == OTHER
    again = ada.http.post(f"{address}/messages/{again.json()['message_id']}/regenerate")
    assert again.json()["usage"]["model"] == OTHER
    # Each turn is counted with the model that it had.
    spent = text("select model, turns from usage where user_id = :id order by model")
    assert [tuple(row) for row in database.rows(ada.id, spent, {"id": ada.id})] == [
        ("offline", 2),
        (OTHER, 4),
    ]


def test_a_model_that_is_not_on_offer_is_refused(ada: ApiUser) -> None:
    said = chat(ada, "Hello").json()
    message = f"/conversations/{said['conversation_id']}/messages/{said['message_id']}"
    for reply in (
        chat(ada, "Hello", model="another"),
        chat(ada, "Hello", model=""),
        ada.http.post(f"{message}/regenerate", json={"model": "another"}),
        ada.http.post(f"{message}/edit", json={"message": "Hello", "model": "another"}),
    ):
        assert (reply.status_code, reply.json()["type"]) == (422, "/problems/validation")
        assert reply.json()["errors"][0]["pointer"] == "/body/model"
    assert len(ada.http.get("/conversations").json()["data"]) == 1


def test_the_same_key_with_another_model_is_another_request(ada: ApiUser) -> None:
    first = chat(ada, "Hello", model=OTHER, key="k1").json()
    assert chat(ada, "Hello", model=OTHER, key="k1").json() == first
    replies = [chat(ada, "Hello", key="k1"), chat(ada, "Hello", model="offline", key="k1")]
    message = f"/conversations/{first['conversation_id']}/messages/{first['message_id']}"
    question = message.replace(first["message_id"], ada.messages(first["conversation_id"])[0]["id"])
    for path, body in ((f"{message}/regenerate", {}), (f"{question}/edit", {"message": "Hi"})):
        headers = {"Idempotency-Key": path}
        assert ada.http.post(path, json=body | {"model": OTHER}, headers=headers).status_code == 200
        replies.append(ada.http.post(path, json=body, headers=headers))
        replies.append(ada.http.post(path, json=body | {"model": "offline"}, headers=headers))
    for reply in replies:
        assert (reply.status_code, reply.json()["type"]) == (422, "/problems/idempotency-key-reused")


def test_a_users_model_is_that_of_new_conversations(ada: ApiUser, bob: ApiUser) -> None:
    before = chat(ada, "Hello").json()["conversation_id"]
    change(ada, model=OTHER)
    after = chat(ada, "Hello").json()["conversation_id"]
    named = chat(ada, "Hello", model="offline").json()["conversation_id"]
    change(ada, model=None)
    for conversation_id in (before, after, named):
        chat(ada, "Again", conversation_id=conversation_id)
    assert [models_of(ada, each) for each in (before, after, named)] == [
        ["offline"] * 2,
        [OTHER] * 2,
        ["offline"] * 2,
    ]


def test_a_model_that_is_no_longer_on_offer_gives_way_to_the_default(
    ada: ApiUser, serve_api: Callable[..., str], new_user: Callable[..., ApiUser]
) -> None:
    remembered = chat(ada, "Hello", model=OTHER).json()["conversation_id"]
    change(ada, model=OTHER)
    later = new_user(api_url=serve_api(openai_model="offline:word=2"), user_id=ada.id)
    fresh = chat(later, "Hello").json()["conversation_id"]
    chat(later, "Again", conversation_id=remembered)
    assert models_of(later, remembered) == [OTHER, "offline:word=2"]
    assert models_of(later, fresh) == ["offline:word=2"]
    # Where it is on offer, it still is what was chosen.
    chat(ada, "Again", conversation_id=remembered)
    assert models_of(ada, remembered)[-1] == OTHER


def test_a_turn_that_is_taken_up_again_keeps_its_model(ada: ApiUser, database: Database) -> None:
    first = chat(ada, "[offline: status=500] Hello", key="k1")
    assert first.status_code == 502
    (conversation,) = ada.http.get("/conversations").json()["data"]
    model = text("update conversation set model = :model where id = :id returning 1")
    database.rows(ada.id, model, {"model": OTHER, "id": conversation["id"]})
    assert chat(ada, "[offline: status=500] Hello", key="k1").status_code == 502
    assert models_of(ada, conversation["id"]) == ["offline"]
