"""The history window, the rolling summary and the title."""

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from parley.database import Database
from tests.conftest import ApiUser
from tests.integration.test_turns import wait_for

pytestmark = pytest.mark.both_transports

WINDOW = 400


@pytest.fixture(scope="module")
def small_window_url(serve_api: Callable[..., str]) -> str:
    return serve_api(history_tokens=WINDOW)


@pytest.fixture
def alice(small_window_url: str, new_user: Callable[..., ApiUser]) -> ApiUser:
    """Somebody whose window is small."""
    return new_user(api_url=small_window_url)


def seed(database: Database, user_id: str, turns: int, tokens: int = 20) -> str:
    """A conversation with that many turns, each message counted as so many tokens."""
    conversation_id = uuid.uuid4()
    params = {"id": conversation_id, "user": user_id, "turns": turns, "tokens": tokens}
    # A statement of its own: the policy of messages asks for the conversation.
    database.rows(
        user_id,
        text("""
            insert into conversation (id, user_id, title, titled, message_count, last_seq)
            values (:id, :user, 'seeded', true, 2 * :turns, 2 * :turns) returning id
        """),
        params,
    )
    database.rows(
        user_id,
        text("""
            with u as (
                select n, gen_random_uuid() as question, gen_random_uuid() as answer
                from generate_series(1, :turns) as n
            ), q as (
                insert into message
                    (id, conversation_id, user_id, seq, role, status, content, tokens, version_of)
                select question, :id, :user, 2 * n - 1, 'user', 'completed', 'question ' || n, :tokens,
                    question from u
            ), a as (
                insert into message
                    (id, conversation_id, user_id, seq, role, status, content, tokens, version_of, reply_to)
                select answer, :id, :user, 2 * n, 'assistant', 'completed', 'answer ' || n, :tokens, answer,
                    question from u
            ) select 1
        """),
        params,
    )
    return str(conversation_id)


def conversation(database: Database, user_id: str, conversation_id: str) -> Any:
    statement = text(
        "select window_seq, summary, summary_seq, titled, title from conversation where id = :id"
    )
    return database.rows(user_id, statement, {"id": uuid.UUID(conversation_id)})[0]


def requests(model_url: str, user_text: str) -> list[list[dict[str, Any]]]:
    """The inputs of the model requests whose last item is this message."""
    inputs = [each["body"].get("input") for each in httpx.get(f"{model_url}/log").json()["requests"]]
    return [items for items in inputs if isinstance(items, list) and items[-1].get("content") == user_text]


def model_input(alice: ApiUser, model_url: str, conversation_id: str, message: str) -> list[dict[str, Any]]:
    reply = alice.say(message, conversation_id)
    assert reply.status_code == 200, reply.text
    return requests(model_url, message)[-1]


def test_a_window_holds_whole_turns_within_its_budget(
    alice: ApiUser, database: Database, model_url: str
) -> None:
    conversation_id = seed(database, alice.id, turns=50)
    items = model_input(alice, model_url, conversation_id, f"now {alice.id}")
    contents = [item["content"] for item in items]
    assert contents[0].startswith("question "), "no answer without its question"
    assert contents[-2] == "answer 50"
    assert (len(items) - 1) * 20 <= WINDOW / 2, "half of the window at once, so that the start stays put"


def test_the_start_stays_where_it_is_from_turn_to_turn(
    alice: ApiUser, database: Database, model_url: str
) -> None:
    conversation_id = seed(database, alice.id, turns=9)
    first = model_input(alice, model_url, conversation_id, f"one {alice.id}")
    second = model_input(alice, model_url, conversation_id, f"two {alice.id}")
    assert second[: len(first)] == first


def test_what_leaves_the_window_is_folded_into_the_summary(
    alice: ApiUser, database: Database, model_url: str
) -> None:
    conversation_id = seed(database, alice.id, turns=11)  # more than the window, less than half more
    before = model_input(alice, model_url, conversation_id, f"one {alice.id}")
    assert before[0]["content"] == "question 1", "nothing is left out before it is folded"
    wait_for(lambda: conversation(database, alice.id, conversation_id).summary)
    folded = conversation(database, alice.id, conversation_id)
    assert folded.summary_seq == folded.window_seq > 1
    after = model_input(alice, model_url, conversation_id, f"two {alice.id}")
    assert after[0]["role"] == "user"
    assert folded.summary in after[0]["content"]
    assert len(after) < len(before)


def test_an_edit_of_what_was_folded_forgets_the_summary(
    alice: ApiUser, database: Database, model_url: str
) -> None:
    conversation_id = seed(database, alice.id, turns=11)
    model_input(alice, model_url, conversation_id, f"one {alice.id}")
    wait_for(lambda: conversation(database, alice.id, conversation_id).summary)
    first = alice.http.get(f"/conversations/{conversation_id}/messages", params={"limit": 100}).json()[
        "data"
    ][0]
    path = f"/conversations/{conversation_id}/messages/{first['id']}/edit"
    message = f"anew {alice.id}"
    assert alice.http.post(path, json={"message": message}).status_code == 200
    assert [item["content"] for item in requests(model_url, message)[-1]] == [message]
    state = conversation(database, alice.id, conversation_id)
    assert (state.summary, state.summary_seq, state.window_seq) == (None, 0, 0)


def test_ten_thousand_messages_are_asked_like_fifty(
    alice: ApiUser, database: Database, model_url: str
) -> None:
    short, long = seed(database, alice.id, turns=25), seed(database, alice.id, turns=5_000)
    few = model_input(alice, model_url, short, f"short {alice.id}")
    many = model_input(alice, model_url, long, f"long {alice.id}")
    assert len(few) == len(many)
    assert len(json.dumps(many)) < 1.2 * len(json.dumps(few))


def test_a_long_conversation_is_folded_step_by_step(
    alice: ApiUser, database: Database, model_url: str
) -> None:
    conversation_id = seed(database, alice.id, turns=200)
    seen: set[int] = set()
    for number in range(3):
        model_input(alice, model_url, conversation_id, f"{number} {alice.id}")
        wait_for(lambda: conversation(database, alice.id, conversation_id).summary_seq > max(seen, default=0))
        seen.add(conversation(database, alice.id, conversation_id).summary_seq)
    assert len(seen) == 3
    assert conversation(database, alice.id, conversation_id).window_seq > max(seen)


@pytest.mark.parametrize("seq", [1, 2])
def test_a_message_larger_than_all_that_is_folded_at_once_is_folded_too(
    seq: int, alice: ApiUser, database: Database, model_url: str
) -> None:
    conversation_id = seed(database, alice.id, turns=15)
    statement = text("""
        update message set tokens = 100000, content = repeat('word ', 20000)
        where conversation_id = :id and seq = :seq returning 1
    """)
    database.rows(alice.id, statement, {"id": uuid.UUID(conversation_id), "seq": seq})
    model_input(alice, model_url, conversation_id, f"now {alice.id}")
    wait_for(lambda: conversation(database, alice.id, conversation_id).summary)
    assert conversation(database, alice.id, conversation_id).summary_seq > seq


def test_a_tool_call_is_replayed_with_its_output(alice: ApiUser, database: Database, model_url: str) -> None:
    conversation_id = seed(database, alice.id, turns=1)
    items = [
        {"type": "function_call", "call_id": "c1", "name": "look_up", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "found"},
        {"role": "assistant", "content": "answer 1"},
    ]
    database.rows(
        alice.id,
        text("""
            update message set run_items = cast(:items as jsonb)
            where conversation_id = :id and role = 'assistant' returning 1
        """),
        {"items": json.dumps(items), "id": uuid.UUID(conversation_id)},
    )
    replayed = model_input(alice, model_url, conversation_id, f"now {alice.id}")
    assert [item.get("type", "message") for item in replayed] == [
        "message",
        "function_call",
        "function_call_output",
        "message",
        "message",
    ]
    (call,) = alice.messages(conversation_id)[1]["tool_calls"]
    kept = {"call_id": "c1", "name": "look_up", "arguments": "{}", "output": "found"}
    assert call == kept | {"status": "completed", "duration_ms": None}


def test_a_conversation_gets_its_title_from_the_model(alice: ApiUser, database: Database) -> None:
    message = "Please tell me: where do parrots sleep, and why do they never fall off the branch at night?"
    conversation_id = alice.say(message).json()["conversation_id"]
    wait_for(lambda: conversation(database, alice.id, conversation_id).titled)
    title = alice.http.get(f"/conversations/{conversation_id}").json()["title"]
    assert 0 < len(title) <= 80
    assert not message.startswith(title)


def test_a_title_given_by_hand_stays(alice: ApiUser, database: Database) -> None:
    conversation_id = alice.say("Hello there").json()["conversation_id"]
    alice.http.patch(f"/conversations/{conversation_id}", json={"title": "Mine"})
    alice.say("And again", conversation_id)
    time.sleep(0.3)
    assert alice.http.get(f"/conversations/{conversation_id}").json()["title"] == "Mine"


def test_what_follow_ups_cost_is_charged(alice: ApiUser, database: Database) -> None:
    reply = alice.say("Hello there").json()
    wait_for(lambda: conversation(database, alice.id, reply["conversation_id"]).titled)
    turns, tokens = database.rows(alice.id, text("select sum(turns), sum(output_tokens) from usage"))[0]
    assert turns == 1
    assert tokens > reply["usage"]["output_tokens"]
