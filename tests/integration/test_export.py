"""Everything a user has can be taken away, in parts, and put in again elsewhere."""

import hashlib
import json
import random
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from parley.database import Database
from parley.repositories import exports
from tests.conftest import ApiUser
from tests.exported import draw_conversation, export, import_records, normalized, parts

pytestmark = pytest.mark.both_transports

NewUser = Callable[..., ApiUser]


def seeded() -> random.Random:
    seed = random.randrange(2**32)
    print("seed", seed)
    return random.Random(seed)


def test_an_export_put_in_elsewhere_is_the_same_export(new_user: NewUser, database: Database) -> None:
    draw = seeded()
    alice, bob = new_user("alice"), new_user("bob")
    for _ in range(8):
        draw_conversation(draw, database, alice.id, draw.choice([1, 3, 30]))
    mine = export(alice)
    assert mine[0]["kind"] == "export"
    assert mine[0]["version"] == 1
    size = draw.choice([100_000, 200_000])
    replies = import_records(bob, mine, size)
    assert sum(reply["conversations"] for reply in replies) == 8
    assert [reply["not_taken"] for reply in replies if reply["not_taken"]] == []
    assert normalized(export(bob)) == normalized(mine)
    again = import_records(bob, mine, draw.choice([50_000, size]) if size > 120_000 else size)
    assert [(reply["conversations"], reply["messages"]) for reply in again] == [(0, 0)] * len(again)
    assert normalized(export(bob)) == normalized(mine)
    # Nor does it come twice for whom it is from, nor where it went to.
    for user, file in ((alice, mine), (bob, export(bob))):
        assert {reply["messages"] for reply in import_records(user, file)} == {0}
    assert normalized(export(alice)) == normalized(mine)
    assert "secret" not in json.dumps(mine)


def test_an_export_has_each_message_once_however_large(new_user: NewUser, database: Database) -> None:
    draw = seeded()
    alice = new_user("alice")
    ids = [draw_conversation(draw, database, alice.id, draw.choice([1, 5, 60])) for _ in range(30)]
    draw_conversation(draw, database, new_user("bob").id, 5)
    replies = list(parts(alice, "/export"))
    assert len(replies) > 2
    records = [json.loads(line) for reply in replies for line in reply.content.split(b"\n") if line]
    stored = database.rows(alice.id, text("select id, md5(content) as hash from message"))
    texts: dict[str, str] = {}
    for each in records:
        if each["kind"] == "message":
            assert each["id"] not in texts
            texts[each["id"]] = each["content"]
        elif each["kind"] == "text":
            assert len(texts[each["message_id"]]) == each["offset"]
            texts[each["message_id"]] += each["text"]
    hashes = {key: hashlib.md5(each.encode()).hexdigest() for key, each in texts.items()}
    assert hashes == {str(row.id): row.hash for row in stored}
    assert sorted(each["id"] for each in records if each["kind"] == "conversation") == sorted(ids)
    assert replies[0].headers["content-type"] == "application/jsonl"
    assert "attachment" in replies[0].headers["content-disposition"]


def test_real_turns_are_exported_with_versions_feedback_and_usage(new_user: NewUser) -> None:
    alice, bob = new_user("alice"), new_user("bob")
    first = alice.say("Hello").json()
    path = f"/conversations/{first['conversation_id']}"
    alice.http.put(
        f"{path}/messages/{first['message_id']}/feedback", json={"rating": "down", "comment": "no"}
    )
    again = alice.http.post(f"{path}/messages/{first['message_id']}/regenerate").json()
    question = alice.messages(first["conversation_id"])[0]
    alice.http.post(f"{path}/messages/{question['id']}/edit", json={"message": "Hello again"})
    alice.http.patch("/settings", json={"instructions": "Call me Ada."})
    records = export(alice)
    assert {"kind": "settings", "instructions": "Call me Ada.", "model": None} in records
    answers = [each for each in records if each["kind"] == "message" and each["role"] == "assistant"]
    assert [each["id"] for each in answers][:2] == [first["message_id"], again["message_id"]]
    assert answers[0]["feedback"] == {"rating": "down", "comment": "no"}
    assert [each["superseded"] for each in answers] == [True, True, False]
    assert [each["version"] for each in answers] == [1, 2, 1]
    (usage,) = [each for each in records if each["kind"] == "usage"]
    assert usage["turns"] == 3
    assert usage["input_tokens"] >= sum(each["usage"]["input_tokens"] for each in answers)
    import_records(bob, records)
    assert normalized(export(bob)) == normalized(records)
    assert bob.http.get("/usage").json()["days"] == []
    # It can be found, gone on with, answered anew and changed, like any other.
    (found,) = bob.http.get("/conversations", params={"q": "again"}).json()["data"]
    shown = bob.messages(found["id"])
    assert [each["content"] for each in shown] == ["Hello again", answers[2]["content"]]
    assert bob.say("More", found["id"]).status_code == 200
    path = f"/conversations/{found['id']}/messages"
    assert bob.http.post(f"{path}/{shown[1]['id']}/regenerate").status_code == 200
    assert bob.http.post(f"{path}/{shown[0]['id']}/edit", json={"message": "Anew"}).status_code == 200


@pytest.mark.parametrize("kind", ["json", "markdown"])
def test_one_conversation_is_a_file(
    kind: str, new_user: NewUser, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A large one would take half a minute to write.
    monkeypatch.setattr(exports, "MAX_PAGE_BYTES", 200_000)
    draw = seeded()
    alice, bob = new_user("alice"), new_user("bob")
    draw_conversation(draw, database, alice.id, 3)
    chosen = draw_conversation(draw, database, alice.id, 40)
    replies = list(parts(alice, f"/conversations/{chosen}/export?format={kind}"))
    assert len(replies) > 1
    assert f".{'md' if kind == 'markdown' else 'json'}" in replies[0].headers["content-disposition"]
    if kind == "markdown":
        whole = b"".join(reply.content for reply in replies).decode()
        shown = database.rows(
            alice.id,
            text(
                "select left(content, 300) as content from message "
                "where conversation_id = :id and not superseded order by seq"
            ),
            {"id": chosen},
        )
        place = 0
        for row in shown:
            place = whole.index(row.content, place)
        assert whole.startswith("# ")
        return
    for reply in replies:
        document = reply.json()
        # What it is as a file is what an import takes.
        records = document.pop("records")
        assert document == {"source": "parley", "version": 1}
        import_records(bob, records)
    mine = [each for each in export(alice) if chosen in (each.get("conversation_id"), each.get("id"))]
    assert normalized(export(bob)) == normalized(mine)


def test_nobody_elses_conversation_is_exported(new_user: NewUser, database: Database) -> None:
    alice, bob = new_user("alice"), new_user("bob")
    chosen = draw_conversation(seeded(), database, alice.id, 3)
    assert bob.http.get(f"/conversations/{chosen}/export").status_code == 403
    assert bob.http.get(f"/conversations/{uuid.uuid4()}/export").status_code == 404
    assert [each["kind"] for each in export(bob)] == ["export"]


@pytest.mark.parametrize("cursor", ["", "x", "W10", "WyJ4IiwxXQ", "é", "[]" * 90])
def test_a_cursor_that_the_api_did_not_give_is_refused(cursor: str, new_user: NewUser) -> None:
    assert new_user().http.get("/export", params={"cursor": cursor}).status_code == 422


def test_a_running_and_a_waiting_turn_are_imported_as_ended(new_user: NewUser, database: Database) -> None:
    alice, bob = new_user("alice"), new_user("bob")
    chosen = draw_conversation(random.Random(1), database, alice.id, 2)
    statement = text("""
        update message set status = :status, superseded = false, run_items = cast(:items as jsonb)
        where conversation_id = :id and seq = 2 returning 1
    """)
    items: list[dict[str, Any]] = [
        {
            "type": "function_call",
            "call_id": "c",
            "name": "pay",
            "arguments": "{}",
            "outcome": {"status": "waiting_approval", "duration_ms": None},
        }
    ]
    database.rows(
        alice.id, statement, {"id": chosen, "status": "waiting_approval", "items": json.dumps(items)}
    )
    import_records(bob, export(alice))
    (answer,) = [each for each in export(bob) if each["kind"] == "message" and each["seq"] == 2]
    (call,) = [
        each for each in export(bob) if each["kind"] == "tool_call" and each["message_id"] == answer["id"]
    ]
    assert (answer["status"], call["status"]) == ("cancelled", "rejected")
