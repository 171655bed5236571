"""Titles and summaries that a model does not give: not stored, charged, and asked for again much later."""

import asyncio
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import pytest
from agents import Agent, GuardrailFunctionOutput, input_guardrail
from sqlalchemy import text

from local.serving import serve_in_thread
from parley.config import Settings
from parley.database import Database
from parley.main import create_app
from parley.services.follow_up_service import POSTPONED_MESSAGES
from tests.conftest import ApiUser
from tests.integration.test_history import WINDOW, seed
from tests.integration.test_turns import wait_for
from tests.scripted_model import Answer, Failed, Said, Script, ScriptedModel, serve_scripted_model

BAD: list[Answer] = [
    Said.text("I'm sorry, but I can't help with that."),
    Said.text("抱歉，我无法协助。"),
    Said.text(""),
    Said.text("\u200b\n"),
    Said.text('{"error": "the model is loading, try again later"}'),
    Said.text("<html>Bad gateway, which is no answer at all</html>"),
    Said.text("long " * 3_000),
    Said.text("A good beginning of something longer", reason="length"),
    Said(refusal="No."),
    Said.text("Half of", reason="content_filter"),
    Said.text("Broken off in the middle of it", reason=None),
    Failed(400, {"code": "content_filter", "message": "x"}),
    Failed(400, {"code": "context_length_exceeded", "message": "x"}),
    Failed(400, {"type": "invalid_request_error", "message": "x"}),
]
EACH = pytest.mark.parametrize("bad", BAD, ids=lambda answer: str(answer)[:60])


@pytest.fixture(scope="module", params=["responses", "chat_completions"])
def model_and_url(
    request: pytest.FixtureRequest, serve_api: Callable[..., str]
) -> Iterator[tuple[ScriptedModel, str]]:
    with serve_scripted_model() as (url, model):
        yield model, serve_api(openai_base_url=url, openai_api=request.param, history_tokens=WINDOW)


@pytest.fixture
def alice(model_and_url: tuple[ScriptedModel, str], new_user: Callable[..., ApiUser]) -> ApiUser:
    return new_user(api_url=model_and_url[1])


def follow(model_and_url: tuple[ScriptedModel, str], user: ApiUser, **script: Answer) -> Script:
    model, _ = model_and_url
    made = Script([Said.text("An answer")])
    made.title, made.summary = script.get("title", made.title), script.get("summary", made.summary)
    model.scripts[user.id] = made
    return made


def state(database: Database, user: ApiUser) -> Any:
    """The person's only conversation, and what they spent."""
    statement = text("""
        select titled, title, summary, summary_seq, window_seq, follow_up_after, last_seq,
            (select sum(input_tokens + output_tokens) from usage) as spent
        from conversation
    """)
    return database.rows(user.id, statement)[0]


def say(user: ApiUser, conversation_id: str | None = None) -> str:
    reply = user.say(f"Hello {user.id}", conversation_id)
    assert reply.status_code == 200, reply.text
    return str(reply.json()["conversation_id"])


@EACH
def test_a_title_that_is_none_is_not_stored_and_not_asked_for_at_every_turn(
    model_and_url: tuple[ScriptedModel, str], alice: ApiUser, database: Database, bad: Answer
) -> None:
    script = follow(model_and_url, alice, title=bad)
    conversation_id = say(alice)
    wait_for(lambda: state(database, alice).follow_up_after)
    after = state(database, alice)
    assert (after.titled, after.title) == (False, f"Hello {alice.id}")
    assert after.follow_up_after == after.last_seq + POSTPONED_MESSAGES
    # A turn costs 100 tokens. A side call that was answered costs something too.
    assert (after.spent > 100) is isinstance(bad, Said)
    for _ in range(2):
        say(alice, conversation_id)
    assert len(script.asked["title"]) == 1


def test_a_title_that_failed_is_asked_for_again_twenty_messages_later(
    model_and_url: tuple[ScriptedModel, str], alice: ApiUser, database: Database
) -> None:
    script = follow(model_and_url, alice, title=BAD[0])
    conversation_id = say(alice)
    wait_for(lambda: state(database, alice).follow_up_after)
    script.title = Said.text("Where parrots sleep")
    for _ in range(POSTPONED_MESSAGES // 2 - 1):
        say(alice, conversation_id)
    assert not state(database, alice).titled
    say(alice, conversation_id)
    wait_for(lambda: state(database, alice).titled)
    assert state(database, alice).title == "Where parrots sleep"


@EACH
def test_a_summary_that_is_none_leaves_the_history_as_it_is(
    model_and_url: tuple[ScriptedModel, str], alice: ApiUser, database: Database, bad: Answer
) -> None:
    script = follow(model_and_url, alice, summary=bad)
    conversation_id = seed(database, alice.id, turns=11)
    marked = text(
        "update message set content = content || ' ' || :user where conversation_id = :id returning 1"
    )
    database.rows(alice.id, marked, {"user": alice.id, "id": uuid.UUID(conversation_id)})
    say(alice, conversation_id)
    wait_for(lambda: state(database, alice).follow_up_after)
    after = state(database, alice)
    assert (after.summary, after.summary_seq, after.window_seq) == (None, 0, 0)
    assert after.follow_up_after == after.last_seq + POSTPONED_MESSAGES
    assert (after.spent > 100) is isinstance(bad, Said)
    say(alice, conversation_id)
    assert len(script.asked["summary"]) == 1
    assert "question 1 " in str(script.asked["answer"][-1])


@input_guardrail(run_in_parallel=False)
async def slow(_: Any, __: Any, ___: Any) -> GuardrailFunctionOutput:
    # Longer than a server that stops waits for its requests.
    await asyncio.sleep(2)
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered=False)


def test_a_server_that_stops_lets_its_turns_end_and_then_what_they_start(
    settings: Settings, new_user: Callable[..., ApiUser], database: Database
) -> None:
    agent = Agent[Any](name="Slow", input_guardrails=[slow])
    with ThreadPoolExecutor(1) as threads:
        with serve_in_thread(lambda _: create_app(settings, agent)) as url:
            alice = new_user(api_url=url)
            said = threads.submit(alice.say, "Tell me of ferries, please")
            wait_for(lambda: database.rows(alice.id, text("select 1 from conversation")))
        with suppress(httpx.HTTPError):
            said.result()
    statuses = database.rows(alice.id, text("select status from message where role = 'assistant'"))
    assert statuses == [("completed",)]
    assert state(database, alice).titled
