"""A shared conversation is what it was, for whoever has its link, until it is revoked. It tells no more."""

import json
import random
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from parley.database import Database
from tests.conftest import ApiUser
from tests.exported import TOKEN, draw_conversation

pytestmark = pytest.mark.both_transports

NewUser = Callable[..., ApiUser]


def share(user: ApiUser, conversation_id: str, **wanted: Any) -> dict[str, Any]:
    reply = user.http.post(f"/conversations/{conversation_id}/share", json=wanted)
    assert reply.status_code == 201, reply.text
    return dict(reply.json())


def read(api_url: str, token: str, **query: Any) -> httpx.Response:
    """Without a bearer."""
    reply = httpx.get(f"{api_url}/api/shared/{token}", params=query)
    assert reply.headers["x-robots-tag"] == "noindex"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert reply.headers["cache-control"] == "no-store"
    return reply


def snapshot(api_url: str, token: str, **query: Any) -> dict[str, Any]:
    """All its pages in one."""
    whole = read(api_url, token, **query).json()
    page = whole
    while page["has_more"]:
        page = read(api_url, token, cursor=page["next_cursor"], **query).json()
        whole["messages"] += page["messages"]
    return dict(whole)


def test_a_link_shows_what_was_said_when_it_was_made(api_url: str, alice: ApiUser) -> None:
    said = alice.say("Hello").json()
    conversation_id = said["conversation_id"]
    shared = share(alice, conversation_id)
    assert TOKEN.fullmatch(shared["token"])
    assert shared["path"] == f"/share/{shared['token']}"
    first = snapshot(api_url, shared["token"])
    assert [each["content"] for each in first["messages"]] == ["Hello", said["response"]]
    alice.say("And this?", conversation_id)
    alice.http.patch(f"/conversations/{conversation_id}", json={"title": "Later"})
    question = alice.messages(conversation_id)[0]["id"]
    alice.http.post(f"/conversations/{conversation_id}/messages/{question}/edit", json={"message": "Changed"})
    assert snapshot(api_url, shared["token"]) == first
    whole = read(api_url, shared["token"]).text
    for secret in (alice.id, conversation_id, said["message_id"], question, shared["id"], shared["token"]):
        assert secret not in whole
    alice.http.delete(f"/conversations/{conversation_id}")
    assert read(api_url, shared["token"]).status_code == 404


def test_a_link_that_is_revoked_expired_or_unknown_is_not_found(
    api_url: str, alice: ApiUser, bob: ApiUser, database: Database
) -> None:
    conversation_id = alice.say("Hello").json()["conversation_id"]
    revoked, expired, kept = (share(alice, conversation_id, expires_in_days=days) for days in (None, 1, 365))
    assert revoked["expires_at"] is None
    assert bob.http.delete(f"/shares/{revoked['id']}").status_code == 404
    assert alice.http.delete(f"/shares/{revoked['id']}").status_code == 204
    assert alice.http.delete(f"/shares/{revoked['id']}").status_code == 404
    statement = "update shared_conversation set expires_at = now() where id = :id returning 1"
    database.rows(alice.id, text(statement), {"id": uuid.UUID(expired["id"])})
    assert [each["id"] for each in alice.http.get("/shares").json()["data"]] == [kept["id"]]
    assert bob.http.get("/shares").json()["data"] == []
    tokens = [revoked["token"], expired["token"], "x", "é%00", kept["token"].swapcase(), kept["id"]]
    replies = [read(api_url, token) for token in tokens]
    assert {reply.status_code for reply in replies} == {404}
    bodies = [{**reply.json(), "request_id": None} for reply in replies]
    assert all(body == bodies[0] for body in bodies)
    assert read(api_url, kept["token"]).status_code == 200


def test_the_token_is_not_stored(alice: ApiUser, database: Database) -> None:
    shared = share(alice, alice.say("Hello").json()["conversation_id"])
    row = database.rows(alice.id, text("select * from shared_conversation"))[0]
    assert shared["token"] not in str(tuple(row))


def test_nobody_shares_or_lists_what_is_anothers(api_url: str, alice: ApiUser, bob: ApiUser) -> None:
    conversation_id = alice.say("Hello").json()["conversation_id"]
    assert bob.http.post(f"/conversations/{conversation_id}/share", json={}).status_code == 403
    assert bob.http.post(f"/conversations/{uuid.uuid4()}/share", json={}).status_code == 404
    assert bob.http.get("/shares").json()["data"] == []
    rows = [share(alice, conversation_id)["id"] for _ in range(5)]
    page = alice.http.get("/shares", params={"limit": 3}).json()
    rest = alice.http.get("/shares", params={"limit": 3, "cursor": page["next_cursor"]}).json()
    assert [each["id"] for each in page["data"] + rest["data"]] == rows[::-1]
    assert rest["has_more"] is False


def test_tool_outputs_are_shared_only_if_that_is_wished(
    api_url: str, alice: ApiUser, database: Database
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    conversation_id = draw_conversation(random.Random(seed), database, alice.id, 60)
    shown = alice.http.get(f"/conversations/{conversation_id}/messages", params={"limit": 100}).json()["data"]
    bare = share(alice, conversation_id)
    full = share(alice, conversation_id, tool_outputs=True)
    kept = [each for each in shown if not each["withheld"]]
    assert len(kept) < len(shown)
    for shared, fields in ((bare, ()), (full, ("arguments", "output", "status"))):
        snap = snapshot(api_url, shared["token"], limit=random.choice([1, 7, 100]))
        assert [each["content"] for each in snap["messages"]] == [each["content"] for each in kept]
        for mine, theirs in zip(kept, snap["messages"], strict=True):
            for call, named in zip(mine["tool_calls"], theirs["tool_calls"], strict=True):
                expected = {"arguments": None, "output": None, "status": None} | {
                    each: call[each] for each in fields
                }
                assert named == {"name": call["name"], **expected}
    assert "secret" not in json.dumps(snapshot(api_url, full["token"]))


def test_only_so_many_links_are_kept(alice: ApiUser, database: Database) -> None:
    several = [alice.say("Hello").json()["conversation_id"] for _ in range(6)]
    conversation_id = several[0]
    for _ in range(97):
        share(alice, conversation_id, expires_in_days=1)
    # At the same time, of different conversations.
    with ThreadPoolExecutor(6) as pool:
        asked = {"expires_in_days": 1}
        replies = pool.map(
            lambda each: alice.http.post(f"/conversations/{each}/share", json=asked).status_code, several
        )
        assert sorted(replies) == [201, 201, 201, 422, 422, 422]
    reply = alice.http.post(f"/conversations/{conversation_id}/share", json={})
    assert (reply.status_code, reply.json()["type"]) == (422, "/problems/too-many-shared")
    database.rows(
        alice.id,
        text("update shared_conversation set expires_at = now() where user_id = :id returning 1"),
        {"id": alice.id},
    )
    share(alice, conversation_id)
    assert len(database.rows(alice.id, text("select id from shared_conversation"))) == 1


@pytest.mark.parametrize(
    "wanted",
    [
        {"expires_in_days": 0},
        {"expires_in_days": 366},
        {"expires_in_days": True},
        {"expires_in_days": "1"},
        {"tool_outputs": 1},
        {"x": 1},
    ],
)
def test_a_wish_out_of_range_is_refused(wanted: dict[str, Any], alice: ApiUser) -> None:
    conversation_id = alice.say("Hello").json()["conversation_id"]
    assert alice.http.post(f"/conversations/{conversation_id}/share", json=wanted).status_code == 422


def test_nothing_is_shared_unless_the_operator_wishes(
    serve_api: Callable[..., str], new_user: NewUser, api_url: str
) -> None:
    off = serve_api(sharing="off")
    there, here = new_user("carol"), None
    shared = share(there, there.say("Hello").json()["conversation_id"])
    here = new_user(user_id=there.id, api_url=off)
    (found,) = here.http.get("/conversations").json()["data"]
    replies = [
        here.http.post(f"/conversations/{found['id']}/share", json={}),
        here.http.get("/shares"),
        here.http.delete(f"/shares/{shared['id']}"),
        read(off, shared["token"]),
    ]
    assert [reply.status_code for reply in replies] == [404] * 4
    assert read(api_url, shared["token"]).status_code == 200


def test_the_function_without_a_user_reads_what_is_shared_alone(alice: ApiUser, database: Database) -> None:
    share(alice, alice.say("Hello").json()["conversation_id"])
    for table in ("shared_conversation", "shared_message", "conversation", "message"):
        assert database.rows(None, text(f"select 1 from {table}")) == []
        assert database.rows("mallory", text(f"select 1 from {table}")) == []
    for given in ("", "%", "x", "' or true --"):
        found = database.rows(
            None, text("select * from read_shared(:hash, 0, 100, 1000000)"), {"hash": given}
        )
        assert found == []
