"""A turn ends in time whatever dies in it, and when its conversation is deleted."""

import asyncio
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from agents import Agent, Tool, function_tool
from sqlalchemy import create_engine, text

from local.postgres import Postgres
from parley.database import Database
from parley.postgres import Address
from tests.conftest import ApiUser
from tests.integration.test_turns import Writing, wait_for

DEADLINE_S = 3.0
LATE_S = 2.0


ERRORS: dict[str, BaseException] = {
    "ends the process": SystemExit("goodbye"),
    "is interrupted": KeyboardInterrupt(),
    "is cancelled": asyncio.CancelledError(),
    "is closed": GeneratorExit(),
    "is exhausted": StopIteration("all"),
    "is exhausted later": StopAsyncIteration("all"),
    "fails in many ways": BaseExceptionGroup("all", [SystemExit(1), ValueError("\x00")]),
    "fails": ExceptionGroup("all", [ValueError("\ud800")]),
}


@function_tool
def raise_in_thread(error: str) -> str:
    """Raise it."""
    raise ERRORS[error]


@function_tool
async def raise_in_loop(error: str) -> str:
    """Raise it."""
    raise ERRORS[error]


@function_tool
async def raise_from_thread(error: str) -> str:
    """Raise it, as `asyncio.to_thread(next, numbers)` does."""

    def fail() -> str:
        raise ERRORS[error]

    return await asyncio.to_thread(fail)


@function_tool(timeout=0.3)
async def raise_when_cancelled(error: str) -> str:
    """Raise it in answer to a cancellation."""
    try:
        await asyncio.sleep(60)
    finally:
        raise ERRORS[error]


RAISING: list[Tool] = [raise_in_thread, raise_in_loop, raise_from_thread, raise_when_cancelled]


class Unreadable:
    def __str__(self) -> str:
        raise ValueError("There is nothing to read.")


@function_tool
def unreadable() -> Any:
    """Return what cannot become text."""
    return Unreadable()


@function_tool
async def hold_on() -> str:
    """Refuse to be cancelled."""
    until = time.monotonic() + 8
    while time.monotonic() < until:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(until - time.monotonic())
    return "at last"


@function_tool
def nothing_to_store() -> str:
    """Return what cannot be stored."""
    return "\x00\ud800"


@function_tool
def block() -> str:
    """Keep a thread for longer than a turn may take."""
    time.sleep(8)
    return "at last"


@pytest.fixture(scope="module")
def url(serve_api: Callable[..., str]) -> str:
    tools = [*RAISING, hold_on, nothing_to_store, unreadable, block]
    return serve_api(Agent[Any](name="Odd", tools=tools), turn_deadline_s=DEADLINE_S)


@pytest.fixture(scope="module")
def chief_url(serve_api: Callable[..., str]) -> str:
    """Of an agent that uses another as a tool."""
    helper = Agent[Any](name="Helper", tools=RAISING)
    chief = Agent[Any](name="Chief", tools=[helper.as_tool("help", "Help")])
    return serve_api(chief, turn_deadline_s=DEADLINE_S)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("tool", [tool.name for tool in RAISING])
@pytest.mark.parametrize("nested", [False, True], ids=["own", "nested"])
def test_a_tool_that_raises_anything_is_a_tool_that_failed(
    nested: bool, tool: str, error: str, url: str, chief_url: str, new_user: Callable[..., ApiUser]
) -> None:
    alice = new_user(api_url=chief_url if nested else url)
    message = f"use the tool {tool} with {json.dumps({'error': error})}"
    if nested:
        message = f"use the tool help with {json.dumps({'input': message})}"
    started = time.monotonic()
    reply = alice.say(message)
    assert time.monotonic() - started < DEADLINE_S - 1, "it is told at once"
    assert (reply.status_code, reply.json()["status"]) == (200, "completed"), reply.text
    (call,) = reply.json()["tool_calls"]
    assert call["status"] == ("completed" if nested else "failed")
    assert alice.say("Say exactly: Ahoy", reply.json()["conversation_id"]).status_code == 200


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("tool", ["hold_on", "nothing_to_store", "unreadable"])
def test_a_turn_ends_in_time_whatever_a_tool_does(
    tool: str, streamed: bool, url: str, new_user: Callable[..., ApiUser]
) -> None:
    alice = new_user(api_url=url)
    headers = {"Accept": "text/event-stream"} if streamed else {}
    started = time.monotonic()
    reply = alice.say(f"use the tool {tool} with {{}}", **headers)
    assert time.monotonic() - started < DEADLINE_S + LATE_S
    assert reply.status_code != 500, reply.text
    assert "internal-error" not in reply.text
    (conversation,) = alice.http.get("/conversations").json()["data"]
    assert alice.messages(conversation["id"])[1]["status"] in ("completed", "failed")
    assert alice.say("Say exactly: Ahoy", conversation["id"]).status_code == 200


def test_tools_that_block_threads_keep_nobody_from_the_database(
    url: str, new_user: Callable[..., ApiUser]
) -> None:
    people = [new_user(api_url=url) for _ in range(12)]
    with ThreadPoolExecutor(len(people)) as threads:
        started = time.monotonic()
        replies = list(threads.map(lambda each: each.say("use the tool block with {}"), people))
        assert time.monotonic() - started < DEADLINE_S + LATE_S + 3
    assert {reply.status_code for reply in replies} <= {503, 504}


def test_a_database_that_hangs_at_the_end_does_not_keep_the_client_waiting(
    url: str, new_user: Callable[..., ApiUser], postgres: Postgres
) -> None:
    alice = new_user(api_url=url)
    engine = create_engine("postgresql+pg8000://", creator=Address(postgres.owner_url).connect)
    started = time.monotonic()
    writing = Writing(alice, "[offline: slow=1] Hello")
    with engine.begin() as connection:
        connection.execute(
            text("select 1 from conversation where id = :id for update"), {"id": writing.conversation_id}
        )
        *_, (name, problem) = writing.wait()
        assert time.monotonic() - started < DEADLINE_S + LATE_S
        assert (name, problem["status"]) == ("turn.failed", 503)
    engine.dispose()
    wait_for(lambda: alice.messages(writing.conversation_id)[1]["status"] != "in_progress")
    assert alice.say("Say exactly: Ahoy", writing.conversation_id).status_code == 200


def spent(database: Database, user_id: str) -> tuple[int, int]:
    statement = text(
        "select sum(turns), sum(input_tokens + output_tokens) from usage where user_id = :user_id"
    )
    turns, tokens = database.rows(user_id, statement, {"user_id": user_id})[0]
    return turns, tokens


def test_a_turn_whose_conversation_is_deleted_ends_and_is_charged(alice: ApiUser, database: Database) -> None:
    writing = Writing(alice, "[offline: slow=1] Hello", **{"Idempotency-Key": "k1"})
    started = time.monotonic()
    assert alice.http.delete(f"/conversations/{writing.conversation_id}").status_code == 204
    *_, (name, problem) = writing.wait()
    assert time.monotonic() - started < 5
    assert (name, problem["status"], problem["type"]) == ("turn.failed", 404, "/problems/not-found")
    turns, tokens = spent(database, alice.id)
    assert turns == 1
    assert tokens > 0

    again = alice.say("[offline: slow=1] Hello", **{"Idempotency-Key": "k1"})
    assert (again.status_code, again.json()["type"]) == (404, "/problems/not-found")
    assert alice.http.get("/conversations").json()["data"] == []
    assert spent(database, alice.id) == (turns, tokens)


def test_a_batch_ends_every_turn_of_what_it_deletes(alice: ApiUser, database: Database) -> None:
    running = [Writing(alice, "[offline: slow=1] Hello") for _ in range(2)]
    ended = alice.say("Hello").json()["conversation_id"]
    ids = [*(each.conversation_id for each in running), ended]
    reply = alice.http.post("/conversations/batch", json={"ids": ids, "action": "delete"})
    assert [each["outcome"] for each in reply.json()["data"]] == ["done"] * 3
    for each in running:
        *_, (name, problem) = each.wait()
        assert (name, problem["status"]) == ("turn.failed", 404)
    turns, tokens = spent(database, alice.id)
    assert turns == 3
    assert tokens > 0
    assert alice.http.get("/conversations").json()["data"] == []


def test_the_key_of_a_turn_that_ended_before_the_deletion_begins_nothing_anew(alice: ApiUser) -> None:
    first = alice.say("Hello", **{"Idempotency-Key": "k1"}).json()["conversation_id"]
    alice.http.delete(f"/conversations/{first}")
    assert alice.say("Hello", **{"Idempotency-Key": "k1"}).status_code == 404
    assert alice.say("Hello", **{"Idempotency-Key": "k2"}).status_code == 200


def test_a_reply_that_is_sent_whole_says_so_as_well(alice: ApiUser) -> None:
    writing = Writing(alice, "[offline: slow=1] Hello", Accept="application/json")
    alice.http.delete(f"/conversations/{writing.conversation_id}")
    reply = writing.wait_for_reply()
    assert (reply.status_code, reply.json()["type"]) == (404, "/problems/not-found")
