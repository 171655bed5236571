"""What users think of answers."""

import uuid
from typing import Any

import pytest

from tests.conftest import ApiUser

pytestmark = pytest.mark.both_transports


def rate(user: ApiUser, reply: dict[str, str], message: str | None = None, **feedback: object) -> int:
    path = f"/conversations/{reply['conversation_id']}/messages/{message or reply['message_id']}/feedback"
    return user.http.put(path, json=feedback).status_code


def feedback_of(user: ApiUser, reply: dict[str, str]) -> list[object]:
    return [message["feedback"] for message in user.messages(reply["conversation_id"])]


def test_an_answer_is_rated_rated_again_and_no_longer(alice: ApiUser) -> None:
    reply = alice.say("Hello").json()
    path = f"/conversations/{reply['conversation_id']}/messages/{reply['message_id']}/feedback"
    rated = alice.http.put(path, json={"rating": "down", "comment": "Too short 🙁"})
    assert rated.status_code == 200
    assert rated.json()["id"] == reply["message_id"]
    assert rated.json()["content"] == reply["response"]
    assert rated.json()["feedback"] == {"rating": "down", "comment": "Too short 🙁"}
    assert feedback_of(alice, reply) == [None, {"rating": "down", "comment": "Too short 🙁"}]
    assert rate(alice, reply, rating="up") == 200
    assert feedback_of(alice, reply) == [None, {"rating": "up", "comment": None}]
    for _ in range(2):
        assert alice.http.delete(path).status_code == 204
    assert feedback_of(alice, reply) == [None, None]


def test_feedback_stays_with_the_version_that_it_is_about(alice: ApiUser) -> None:
    reply = alice.say("Hello").json()
    path = f"/conversations/{reply['conversation_id']}/messages/{reply['message_id']}"
    assert rate(alice, reply, rating="down") == 200
    alice.http.post(f"{path}/regenerate").raise_for_status()
    assert feedback_of(alice, reply) == [None, None]
    versions = alice.http.get(f"{path}/versions").json()["data"]
    assert [version["feedback"] for version in versions] == [{"rating": "down", "comment": None}, None]


def test_a_question_has_no_feedback(alice: ApiUser) -> None:
    reply = alice.say("Hello").json()
    question = alice.messages(reply["conversation_id"])[0]["id"]
    assert rate(alice, reply, question, rating="up") == 422
    assert feedback_of(alice, reply) == [None, None]


@pytest.mark.parametrize(
    "feedback",
    [
        {},
        {"rating": "sideways"},
        {"rating": "up", "stars": 5},
        {"rating": "up", "comment": "x" * 2_001},
        {"rating": "up", "comment": "a\x00b"},
    ],
)
def test_what_is_no_feedback_is_refused(alice: ApiUser, feedback: dict[str, Any]) -> None:
    reply = alice.say("Hello").json()
    assert rate(alice, reply, **feedback) == 422
    assert feedback_of(alice, reply) == [None, None]


def test_only_ones_own_answers_can_be_rated(alice: ApiUser, bob: ApiUser) -> None:
    hers, his = alice.say("Hello").json(), bob.say("Hello").json()
    assert rate(bob, hers, rating="down") == 403
    assert rate(bob, his, hers["message_id"], rating="down") == 403
    assert rate(bob, his, str(uuid.uuid4()), rating="down") == 404
    assert rate(bob, bob.say("Another").json(), his["message_id"], rating="down") == 404
    assert feedback_of(alice, hers) == feedback_of(bob, his) == [None, None]
