"""`POST /api/{user_id}/chat`, over HTTP, against the offline model."""

import json
import time
import uuid
from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.conftest import ApiUser

pytestmark = pytest.mark.both_transports


def events(reply: httpx.Response) -> list[tuple[str, dict[str, Any]]]:
    assert reply.headers["content-type"].startswith("text/event-stream")
    found = []
    for number, block in enumerate((part for part in reply.text.split("\n\n") if part), 1):
        lines = dict(line.split(": ", 1) for line in block.split("\n"))
        assert lines["id"] == str(number)
        found.append((lines["event"], json.loads(lines["data"])))
    return found


def test_a_reply_has_the_shape_of_the_contract(alice: ApiUser) -> None:
    reply = alice.say("Say exactly: Ahoy")
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "application/json"
    body = reply.json()
    assert list(body) == [
        "conversation_id",
        "message_id",
        "response",
        "timestamp",
        "status",
        "tool_calls",
        "usage",
        "incomplete",
    ]
    assert uuid.UUID(body["conversation_id"]).version == uuid.UUID(body["message_id"]).version == 7
    assert "Ahoy" in body["response"]
    assert body["status"] == "completed"
    assert body["timestamp"].endswith("Z")
    assert datetime.fromisoformat(body["timestamp"]).tzinfo is not None
    assert body["usage"]["model"] == "offline"
    assert body["usage"]["input_tokens"] > 0
    assert body["usage"]["output_tokens"] > 0


def test_the_agent_remembers_the_conversation_and_only_it(alice: ApiUser) -> None:
    conversation_id = alice.say("My name is Ada").json()["conversation_id"]
    assert "Ada" in alice.say("What is my name?", conversation_id).json()["response"]
    assert "Ada" not in alice.say("What is my name?").json()["response"]


def test_a_turn_streams_as_events(alice: ApiUser) -> None:
    reply = alice.say("Say exactly: one two three", Accept="text/event-stream")
    assert reply.status_code == 200
    names = [name for name, _ in events(reply)]
    assert names[0] == "turn.created"
    assert set(names[1:-1]) == {"turn.output_text.delta"}
    assert len(names) > 4, "the text came in parts"
    assert names[-1] == "turn.completed"
    text = "".join(data["delta"] for name, data in events(reply) if name == "turn.output_text.delta")
    created, completed = events(reply)[0][1], events(reply)[-1][1]
    assert completed["response"] == text
    assert completed["message_id"] == created["message_id"]
    stored = alice.messages(created["conversation_id"])
    assert [message["id"] for message in stored] == [created["user_message_id"], created["message_id"]]
    assert stored[1]["content"] == text


def test_a_failed_turn_streams_its_problem_and_keeps_the_question(alice: ApiUser) -> None:
    reply = alice.say("[offline: status=500] Hello", Accept="text/event-stream")
    (_, created), (name, problem) = events(reply)
    assert name == "turn.failed"
    assert problem["type"] == "/problems/model-failed"
    assert problem["status"] == 502
    assert problem["request_id"] == reply.headers["x-request-id"]
    question, answer = alice.messages(created["conversation_id"])
    assert question["content"] == "[offline: status=500] Hello"
    assert answer["status"] == "failed"
    assert answer["error"]["type"] == "/problems/model-failed"


@pytest.mark.parametrize(
    ("command", "status", "kind"),
    [
        ("status=400", 502, "/problems/model-failed"),
        ("status=401", 502, "/problems/model-failed"),
        ("status=429,retry_after=3", 503, "/problems/model-busy"),
        ("status=500", 502, "/problems/model-failed"),
        ("status=503", 503, "/problems/model-busy"),
        ("cut=2", 502, "/problems/model-failed"),
        ("rubbish=json", 502, "/problems/model-failed"),
        ("rubbish=html", 502, "/problems/model-failed"),
        ("rubbish=empty", 502, "/problems/model-failed"),
        ("refusal", 422, "/problems/content-refused"),
    ],
)
def test_trouble_with_the_model_is_never_a_500(alice: ApiUser, command: str, status: int, kind: str) -> None:
    reply = alice.say(f"[offline: {command}] Hello")
    assert (reply.status_code, reply.json()["type"]) == (status, kind), reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    if status == 503:
        assert int(reply.headers["retry-after"]) == (3 if "retry_after" in command else 2)


def test_a_failing_model_is_tried_twice_at_most(alice: ApiUser) -> None:
    assert alice.say(f"[offline: status=500,first=1,key={alice.id}] Hello").status_code == 200
    assert alice.say(f"[offline: status=500,first=2,key={alice.id}] Hello").status_code == 502


def test_a_model_that_is_busy_for_long_is_not_waited_for(alice: ApiUser) -> None:
    started = time.monotonic()
    reply = alice.say("[offline: status=429,retry_after=40] Hello")
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "40")
    assert time.monotonic() - started < 15


def test_a_turn_after_a_failed_one_goes_on(alice: ApiUser) -> None:
    alice.say("[offline: status=500] My name is Ada", Accept="text/event-stream")
    conversation_id = alice.http.get("/conversations").json()["data"][0]["id"]
    assert "Ada" in alice.say("What is my name?", conversation_id).json()["response"]


def test_the_same_key_gives_the_same_reply_once(alice: ApiUser) -> None:
    first = alice.say("Hello", **{"Idempotency-Key": "k1"})
    again = alice.say("Hello", **{"Idempotency-Key": "k1"})
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.content == first.content
    assert len(alice.messages(first.json()["conversation_id"])) == 2


def test_a_key_with_another_body_is_refused(alice: ApiUser) -> None:
    first = alice.say("Hello", **{"Idempotency-Key": "k1"}).json()
    other = alice.say("Good bye", **{"Idempotency-Key": "k1"})
    assert other.status_code == 422
    assert other.json()["type"] == "/problems/idempotency-key-reused"
    assert len(alice.messages(first["conversation_id"])) == 2


def test_keys_of_two_people_do_not_meet(alice: ApiUser, bob: ApiUser) -> None:
    assert alice.say("Hello", **{"Idempotency-Key": "k1"}).status_code == 200
    assert "idempotency-replayed" not in bob.say("Good bye", **{"Idempotency-Key": "k1"}).headers


def test_a_failed_turn_runs_again_in_place(alice: ApiUser) -> None:
    key = {"Idempotency-Key": "k1"}
    message = f"[offline: status=500,first=2,key={alice.id}] Hello"
    assert alice.say(message, **key).status_code == 502
    again = alice.say(message, **key)
    assert again.status_code == 200
    question, answer = alice.messages(again.json()["conversation_id"])
    assert (question["role"], answer["role"], answer["status"]) == ("user", "assistant", "completed")
    assert answer["id"] == again.json()["message_id"]


def test_a_conversation_that_is_not_mine_is_403_and_none_is_404(alice: ApiUser, bob: ApiUser) -> None:
    conversation_id = alice.say("Hello").json()["conversation_id"]
    assert bob.say("Hello", conversation_id).status_code == 403
    assert bob.say("Hello", str(uuid.uuid4())).status_code == 404
    assert len(alice.messages(conversation_id)) == 2


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        (b"", 422, "/body"),
        (b"not json", 400, None),
        (b'"text"', 422, "/body"),
        (b"{}", 422, "/body/message"),
        (b'{"message": ""}', 422, "/body/message"),
        (b'{"message": 5}', 422, "/body/message"),
        (json.dumps({"message": "x" * 32_001}).encode(), 422, "/body/message"),
        (b'{"message": "a\\u0000b"}', 422, "/body/message"),
        (b'{"message": "\\ud800"}', 422, "/body/message"),
        (b'{"message": "hi", "conversation_id": "nonsense"}', 422, "/body/conversation_id"),
        (b'{"message": "hi", "user_id": "bob"}', 422, "/body/user_id"),
        (b'{"message": ' + b"[" * 100_000, 400, None),
        (json.dumps({"message": "x" * 300_000}).encode(), 413, None),
    ],
)
def test_a_bad_body_gets_a_clear_problem(
    alice: ApiUser, body: bytes, status: int, pointer: str | None
) -> None:
    reply = alice.http.post("/chat", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == status, reply.text
    problem = reply.json()
    assert problem["status"] == status
    assert problem["request_id"] == reply.headers["x-request-id"]
    if pointer:
        assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert alice.http.get("/conversations").json()["data"] == []


def test_a_large_body_without_a_length_is_refused_too(alice: ApiUser) -> None:
    parts = (b"x" * 10_000 for _ in range(40))
    reply = alice.http.post("/chat", content=parts, headers={"Content-Type": "application/json"})
    assert reply.status_code == 413


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "käse"])
def test_a_bad_key_is_refused(alice: ApiUser, key: str) -> None:
    reply = alice.http.post("/chat", json={"message": "hi"}, headers={b"Idempotency-Key": key.encode()})
    assert reply.status_code == 422


def test_unusual_text_comes_back_as_it_was_sent(alice: ApiUser) -> None:
    text = "é ẍ 𝄞 👩‍👩‍👧 \u202e right \t\r\n ' \" \\ %s {} ; drop table message; -- <script>alert(1)</script>"
    conversation_id = alice.say(text).json()["conversation_id"]
    assert alice.messages(conversation_id)[0]["content"] == text
