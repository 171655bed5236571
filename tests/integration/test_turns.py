"""The turn's promises beyond a single reply: one at a time, once each, cancelled, replaced, kept."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from parley.database import Database
from tests.conftest import ApiUser
from tests.integration.test_chat import events

pytestmark = pytest.mark.both_transports

SLOW = "[offline: slow=1]"


def wait_for(condition: Callable[[], Any], seconds: float = 15) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found


class Writing:
    """A turn that streams in a thread of its own, from the moment it has an id."""

    def __init__(
        self, user: ApiUser, message: str, conversation_id: str | None = None, **headers: str
    ) -> None:
        self.reply: httpx.Response | None = None
        headers = {"Accept": "text/event-stream"} | headers
        say = partial(self._say, user, message, conversation_id, headers)
        self._thread = threading.Thread(target=say)
        before = {each["id"] for each in listed(user)}
        self._thread.start()
        self.conversation_id = conversation_id or wait_for(
            lambda: next((each["id"] for each in listed(user) if each["id"] not in before), None)
        )
        self.message_id = wait_for(lambda: self._running(user))

    def _running(self, user: ApiUser) -> str | None:
        messages = user.messages(self.conversation_id)
        return next((each["id"] for each in messages if each["status"] == "in_progress"), None)

    def _say(self, user: ApiUser, message: str, conversation_id: str | None, headers: dict[str, str]) -> None:
        self.reply = user.say(message, conversation_id, **headers)

    def wait_for_reply(self) -> httpx.Response:
        self._thread.join()
        assert self.reply is not None
        return self.reply

    def wait(self) -> list[tuple[str, dict[str, Any]]]:
        return events(self.wait_for_reply())


def listed(user: ApiUser) -> list[dict[str, Any]]:
    return list(user.http.get("/conversations").json()["data"])


def alternates(messages: list[dict[str, Any]]) -> bool:
    roles = [message["role"] for message in messages]
    return roles == ["user", "assistant"] * (len(roles) // 2)


@pytest.fixture
def fresh_log(model_url: str) -> Iterator[str]:
    httpx.delete(f"{model_url}/log")
    yield model_url


def post(user: ApiUser, path: str, body: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
    return user.http.post(path, json=body, headers=headers)


def test_fifty_requests_with_one_key_are_one_turn(alice: ApiUser, fresh_log: str) -> None:
    def ask(_: int) -> httpx.Response:
        while True:
            reply = alice.say(f"{SLOW} Once only {alice.id}", **{"Idempotency-Key": "k"})
            if reply.status_code != 409:
                return reply
            assert int(reply.headers["retry-after"]) >= 1
            time.sleep(0.2)

    with ThreadPoolExecutor(50) as threads:
        replies = list(threads.map(ask, range(50)))
    assert {reply.status_code for reply in replies} == {200}
    assert len({reply.content for reply in replies}) == 1
    assert sum("idempotency-replayed" not in reply.headers for reply in replies) == 1
    assert len(alice.messages(replies[0].json()["conversation_id"])) == 2
    requests = httpx.get(f"{fresh_log}/log").json()["requests"]
    answers = [each for each in requests if "Write a title" not in str(each["body"])]
    assert len(answers) == 1


def test_of_fifty_turns_at_once_in_one_conversation_exactly_one_runs(alice: ApiUser) -> None:
    conversation_id = alice.say("Hello").json()["conversation_id"]
    with ThreadPoolExecutor(50) as threads:
        replies = list(threads.map(lambda n: alice.say(f"{SLOW} {n}", conversation_id), range(50)))
    assert Counter(reply.status_code for reply in replies) == {200: 1, 409: 49}
    messages = alice.messages(conversation_id)
    assert len(messages) == 4
    assert alternates(messages)


def test_while_a_turn_runs_the_conversation_is_busy(alice: ApiUser) -> None:
    writing = Writing(alice, "[offline: word=100,words=15] Tell me more")
    path = f"/conversations/{writing.conversation_id}/messages/{writing.message_id}"
    for reply in (
        alice.say("And now?", writing.conversation_id),
        post(alice, f"{path}/regenerate"),
    ):
        assert reply.status_code == 409
        assert reply.json()["type"] == "/problems/turn-in-progress"
        assert int(reply.headers["retry-after"]) >= 1
    assert alice.http.get(f"/conversations/{writing.conversation_id}").json()["running"] is True
    assert writing.wait()[-1][0] == "turn.completed"
    assert alice.say("And now?", writing.conversation_id).status_code == 200


def test_a_running_answer_can_be_read_as_it_grows(alice: ApiUser) -> None:
    writing = Writing(alice, "[offline: word=100,words=60] Tell me more")
    seen = []
    while (answer := alice.messages(writing.conversation_id)[1])["status"] == "in_progress":
        seen.append(len(answer["content"]))
        time.sleep(0.3)
    assert len(set(seen)) >= 3, "a checkpoint every two seconds of six"
    assert seen == sorted(seen)
    assert answer["content"] == writing.wait()[-1][1]["response"]


def test_a_cancelled_answer_keeps_its_text(alice: ApiUser) -> None:
    writing = Writing(alice, "[offline: word=100,words=500] Tell me more")
    time.sleep(1)
    started = time.monotonic()
    path = f"/conversations/{writing.conversation_id}/messages/{writing.message_id}/cancel"
    reply = post(alice, path)
    assert time.monotonic() - started < 3
    assert (reply.status_code, reply.json()["status"]) == (200, "cancelled")
    assert len(reply.json()["content"]) > 20
    name, data = writing.wait()[-1]
    assert (name, data["status"]) == ("turn.cancelled", "cancelled")
    assert data["response"] == reply.json()["content"]
    assert alice.messages(writing.conversation_id)[1]["content"] == data["response"]
    assert post(alice, path).json()["status"] == "cancelled", "again changes nothing"
    assert alice.say("Go on", writing.conversation_id).status_code == 200


def test_an_answer_whose_worker_hangs_is_cancelled_all_the_same(alice: ApiUser, database: Database) -> None:
    conversation_id = alice.say("Hello").json()["conversation_id"]
    answer = alice.messages(conversation_id)[1]
    database.rows(
        alice.id,
        text("""
            update message set status = 'in_progress', lease_id = id, content = 'so far',
                lease_expires_at = clock_timestamp() + interval '30 seconds'
            where id = :id returning 1
        """),
        {"id": uuid.UUID(answer["id"])},
    )
    started = time.monotonic()
    reply = post(alice, f"/conversations/{conversation_id}/messages/{answer['id']}/cancel")
    assert time.monotonic() - started < 3.2
    assert (reply.json()["status"], reply.json()["content"]) == ("cancelled", "so far")


def test_cancelling_what_has_ended_changes_nothing(alice: ApiUser) -> None:
    reply = alice.say("Hello").json()
    path = f"/conversations/{reply['conversation_id']}/messages/{reply['message_id']}/cancel"
    assert post(alice, path).json()["status"] == "completed"


def test_a_regenerated_answer_keeps_the_old_one(alice: ApiUser) -> None:
    first = alice.say("My name is Ada").json()
    conversation_id = first["conversation_id"]
    alice.say("What is my name?", conversation_id)
    path = f"/conversations/{conversation_id}/messages/{first['message_id']}"
    again = post(alice, f"{path}/regenerate", None, **{"Idempotency-Key": "r"})
    assert again.status_code == 200, again.text
    messages = alice.messages(conversation_id)
    assert [message["content"] for message in messages] == ["My name is Ada", again.json()["response"]]
    assert [(message["version"], message["version_count"]) for message in messages] == [(1, 1), (2, 2)]
    versions = alice.http.get(f"{path}/versions").json()["data"]
    assert [version["content"] for version in versions] == [first["response"], again.json()["response"]]
    assert post(alice, f"{path}/regenerate", None, **{"Idempotency-Key": "r"}).content == again.content
    assert post(alice, f"{path}/regenerate").json()["type"] == "/problems/message-superseded"
    conversation = alice.http.get(f"/conversations/{conversation_id}").json()
    assert conversation["message_count"] == 2


def test_an_edited_question_replaces_what_followed(alice: ApiUser, fresh_log: str) -> None:
    conversation_id = alice.say("My name is Ada").json()["conversation_id"]
    alice.say("I like parrots", conversation_id)
    first_question, first_answer = alice.messages(conversation_id)[:2]
    path = f"/conversations/{conversation_id}/messages/{first_question['id']}"
    edited = post(alice, f"{path}/edit", {"message": "My name is Bea"})
    assert edited.status_code == 200, edited.text
    messages = alice.messages(conversation_id)
    assert [message["content"] for message in messages] == ["My name is Bea", edited.json()["response"]]
    assert alternates(messages)
    assert (messages[0]["version"], messages[0]["version_count"]) == (2, 2)
    answer = alice.say("What is my name?", conversation_id).json()["response"]
    assert "Bea" in answer
    assert "Ada" not in answer
    last = httpx.get(f"{fresh_log}/log").json()["requests"][-1]
    assert "parrots" not in str(last["body"]), "what was replaced is not replayed to the model"
    assert len(alice.http.get(f"{path}/versions").json()["data"]) == 2
    old = alice.http.get(f"/conversations/{conversation_id}/messages/{first_answer['id']}/versions").json()
    assert old["data"][0]["content"] == first_answer["content"]


def test_only_answers_are_regenerated_and_only_questions_edited(alice: ApiUser) -> None:
    conversation_id = alice.say("Hello").json()["conversation_id"]
    question, answer = alice.messages(conversation_id)
    path = f"/conversations/{conversation_id}/messages"
    assert post(alice, f"{path}/{question['id']}/regenerate").status_code == 422
    assert post(alice, f"{path}/{answer['id']}/edit", {"message": "x"}).status_code == 422
    assert post(alice, f"{path}/{uuid.uuid4()}/regenerate").status_code == 404
    assert [message["id"] for message in alice.messages(conversation_id)] == [question["id"], answer["id"]]


def test_a_failed_regeneration_loses_neither_question_nor_old_answer(alice: ApiUser) -> None:
    first = alice.say(f"[offline: status=500,first=4,key={alice.id}] Hello", Accept="text/event-stream")
    created = events(first)[0][1]
    path = f"/conversations/{created['conversation_id']}/messages/{created['message_id']}"
    assert post(alice, f"{path}/regenerate").status_code == 502
    question, answer = alice.messages(created["conversation_id"])
    assert (question["role"], answer["status"], answer["version"]) == ("user", "failed", 2)
    assert alternates([question, answer])


def test_an_interrupted_turn_runs_again_in_place(alice: ApiUser, database: Database) -> None:
    reply = alice.say("Hello", **{"Idempotency-Key": "k"}).json()
    database.rows(
        alice.id,
        text("""
            update message set status = 'in_progress', content = '', lease_id = id,
                lease_expires_at = clock_timestamp() - interval '1 second'
            where id = :id returning 1
        """),
        {"id": uuid.UUID(reply["message_id"])},
    )
    again = alice.say("Hello", **{"Idempotency-Key": "k"})
    assert again.status_code == 200
    assert "idempotency-replayed" not in again.headers
    assert again.json()["message_id"] == reply["message_id"]
    assert len(alice.messages(reply["conversation_id"])) == 2


@pytest.mark.parametrize("change", ["lease_id = gen_random_uuid()", "lease_expires_at = clock_timestamp()"])
def test_a_worker_that_lost_its_lease_changes_nothing(
    alice: ApiUser, database: Database, change: str
) -> None:
    writing = Writing(alice, "[offline: word=100,words=12] Tell me more")
    database.rows(
        alice.id,
        text(f"update message set content = 'theirs', {change} where id = :id returning 1"),
        {"id": uuid.UUID(writing.message_id)},
    )
    name, problem = writing.wait()[-1]
    assert (name, problem["type"]) == ("turn.failed", "/problems/turn-lost")
    assert alice.messages(writing.conversation_id)[1]["content"] == "theirs"


def test_a_deadline_keeps_the_partial_text(
    serve_api: Callable[..., str], new_user: Callable[..., ApiUser]
) -> None:
    alice = new_user(api_url=serve_api(turn_deadline_s=2))
    started = time.monotonic()
    reply = alice.say("[offline: word=100,words=500] Tell me more")
    assert (reply.status_code, reply.json()["type"]) == (504, "/problems/deadline-exceeded")
    assert time.monotonic() - started < 4
    answer = alice.messages(listed(alice)[0]["id"])[1]
    assert (answer["status"], answer["error"]["status"]) == ("failed", 504)
    assert len(answer["content"]) > 20
    assert answer["usage"]["output_tokens"] > 0


@pytest.mark.parametrize("command", ["hang", "hang=5", "slow=60"])
def test_every_hang_is_answered(
    command: str, serve_api: Callable[..., str], new_user: Callable[..., ApiUser]
) -> None:
    alice = new_user(api_url=serve_api(turn_deadline_s=2))
    assert alice.say(f"[offline: {command}] Hello").status_code == 504


def test_more_turns_than_can_be_served_are_shed_before_any_statement(
    serve_api: Callable[..., str], new_user: Callable[..., ApiUser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley.services.turn_service.MAX_TURNS_AT_ONCE", 5)
    url = serve_api()
    people = [new_user(f"p{number}", api_url=url) for number in range(10)]
    with ThreadPoolExecutor(10) as threads:
        replies = list(threads.map(lambda each: each.say(f"{SLOW} Hello"), people))
    assert Counter(reply.status_code for reply in replies) == {200: 5, 503: 5}
    for someone, reply in zip(people, replies, strict=True):
        if reply.status_code == 503:
            assert reply.json()["type"] == "/problems/overloaded"
            assert int(reply.headers["retry-after"]) >= 1
            assert listed(someone) == []
            assert someone.say("Hello").status_code == 200


def test_the_quota_of_turns_is_exact(serve_api: Callable[..., str], new_user: Callable[..., ApiUser]) -> None:
    alice = new_user(api_url=serve_api(quota_turns_per_day=3))
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda n: alice.say(f"Hello {n}"), range(8)))
    assert Counter(reply.status_code for reply in replies) == {200: 3, 429: 5}
    refused = next(reply for reply in replies if reply.status_code == 429)
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert len(listed(alice)) == 3
    bob = new_user("bob", api_url=str(alice.http.base_url).split("/api/")[0])
    assert bob.say("Hello").status_code == 200


def test_the_quota_of_tokens_stops_the_next_turn(
    serve_api: Callable[..., str], new_user: Callable[..., ApiUser]
) -> None:
    alice = new_user(api_url=serve_api(quota_tokens_per_day=100))
    assert alice.say("[offline: words=150] Hello").status_code == 200
    assert alice.say("Hello").status_code == 429


def test_a_replay_costs_no_quota(serve_api: Callable[..., str], new_user: Callable[..., ApiUser]) -> None:
    alice = new_user(api_url=serve_api(quota_turns_per_day=1))
    first = alice.say("Hello", **{"Idempotency-Key": "k"})
    assert alice.say("Hello", **{"Idempotency-Key": "k"}).content == first.content
    assert alice.say("Hello", **{"Idempotency-Key": "other"}).status_code == 429
