"""`DELETE /data` leaves nothing of a user: in no column of any table, in no log, whatever runs meanwhile."""

import json
import random
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from agents import Agent, function_tool
from pg8000.native import Connection, identifier
from sqlalchemy import text

from local.ports import free_port
from local.postgres import Postgres
from parley.config import Settings
from parley.database import Database
from parley.models.turn import Send
from parley.repositories import conversations, erasure, follow_ups, turns
from parley.repositories.follow_ups import Reservation, TokenUsage
from parley.repositories.turns import Begun, Limits, NewTurn, Reached
from tests.conftest import ApiUser
from tests.integration.test_resilience import worker
from tests.integration.test_spend import Worker, ended
from tests.integration.test_turns import Writing, wait_for

pytestmark = pytest.mark.both_transports

ROUNDS = 12


def tables(owner: Connection) -> list[tuple[str, str]]:
    rows = owner.run("""
        select table_schema, table_name from information_schema.tables
        where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')
    """)
    assert len(rows) > 5
    return [(schema, table) for schema, table in rows]


def found(postgres: Postgres, canary: str) -> dict[str, int]:
    """How many rows of which tables hold the canary in any column. Empty if none do."""
    owner = postgres.connect()
    try:
        owner.run("select set_config('app.migrating', 'on', false)")
        counts = {}
        for schema, table in tables(owner):
            [[count]] = owner.run(
                f"select count(*) from {identifier(schema)}.{identifier(table)} t "
                "where strpos(row_to_json(t)::text, :canary) > 0",
                canary=canary,
            )
            counts[table] = int(count)
        return {table: count for table, count in counts.items() if count}
    finally:
        owner.close()


def tables_of_users(postgres: Postgres) -> set[str]:
    owner = postgres.connect()
    try:
        rows = owner.run("select table_name from information_schema.columns where column_name = 'user_id'")
        return {row[0] for row in rows}
    finally:
        owner.close()


def fill(user: ApiUser, canary: str) -> None:
    """Everything that a user can leave behind, with the canary in it."""
    key = {"Idempotency-Key": canary}
    said = user.say(f"My word is {canary}", **key).json()
    conversation = f"/conversations/{said['conversation_id']}"
    user.http.patch(conversation, json={"title": f"About {canary}", "pinned": True})
    feedback = {"rating": "down", "comment": f"No {canary}"}
    user.http.put(f"{conversation}/messages/{said['message_id']}/feedback", json=feedback)
    user.say(f"[offline: status=400] {canary}")
    user.say(f"What did we decide about {canary}?", said["conversation_id"])
    user.http.post(f"{conversation}/messages/{said['message_id']}/regenerate")
    deleted = user.say(f"Delete {canary}", **{"Idempotency-Key": f"{canary}-2"}).json()
    user.http.delete(f"/conversations/{deleted['conversation_id']}")


def fill_others(postgres: Postgres, user_id: str) -> None:
    """A row of the user's in each table that none of the above has come to."""
    samples = {"uuid": "gen_random_uuid()", "jsonb": "'{}'", "ARRAY": "'{}'", "boolean": "false"}
    moments = ("date", "timestamp with time zone")
    owner = postgres.connect()
    try:
        owner.run("set session_replication_role = replica")  # no foreign keys
        for table in tables_of_users(postgres) - found(postgres, user_id).keys():
            columns = owner.run(
                "select column_name, data_type from information_schema.columns where table_name = :table "
                "and is_nullable = 'NO' and column_default is null and is_generated = 'NEVER'",
                table=table,
            )
            values = {
                name: "now()" if kind in moments else samples.get(kind, "'1'") for name, kind in columns
            }
            values["user_id"] = f"'{user_id}'"
            owner.run(f"insert into {table} ({', '.join(values)}) values ({', '.join(values.values())})")
    finally:
        owner.close()


def test_no_column_of_any_table_and_no_log_keeps_anything(
    settings: Settings, postgres: Postgres, new_user: Callable[..., ApiUser], tmp_path: Path
) -> None:
    canary = f"canary{uuid.uuid4().hex[:12]}"
    log = tmp_path / "log"
    port = free_port()
    with worker(settings, port, log):
        alice = new_user(api_url=f"http://127.0.0.1:{port}", user_id=f"user-{canary}")
        fill(alice, canary)
        fill_others(postgres, alice.id)
        assert found(postgres, canary).keys() == tables_of_users(postgres)
        for _ in range(2):
            assert alice.http.delete("/data").status_code == 204
        assert found(postgres, canary) == {}
        assert alice.http.get("/conversations").json()["data"] == []
        assert alice.http.get("/usage").json()["days"] == []
    lines = log.read_text()
    assert '"DELETE"' in lines
    assert "/api/{user_id}/data" in lines
    assert canary not in lines


def test_nobody_else_loses_anything(alice: ApiUser, bob: ApiUser, postgres: Postgres) -> None:
    alice.say("Hello")
    bob.say("Hello")
    before = found(postgres, bob.id)
    assert alice.http.delete("/data").status_code == 204
    assert found(postgres, bob.id) == before
    assert len(bob.http.get("/conversations").json()["data"]) == 1


def test_a_turn_that_runs_meanwhile_ends_and_leaves_nothing(alice: ApiUser, postgres: Postgres) -> None:
    writing = Writing(alice, "[offline: word=100,words=300] Tell me more")
    assert alice.http.delete("/data").status_code == 204
    reply = writing.wait_for_reply()
    assert '"status": 404' in reply.text.replace('"status":404', '"status": 404')
    assert found(postgres, alice.id) == {}
    assert found(postgres, writing.conversation_id) == {}


@function_tool(needs_approval=True)
def pay(to: str) -> str:
    """Pay."""
    return f"paid {to}"


def test_a_turn_that_waits_for_approval_goes_as_well(
    serve_api: Callable[..., str], new_user: Callable[..., ApiUser], postgres: Postgres
) -> None:
    canary = f"canary{uuid.uuid4().hex[:12]}"
    alice = new_user(api_url=serve_api(agent=Agent("Payer", tools=[pay])))
    reply = alice.say("Use the tool pay with " + json.dumps({"to": canary})).json()
    assert reply["status"] == "waiting_approval"
    assert found(postgres, canary)
    assert alice.http.delete("/data").status_code == 204
    assert found(postgres, canary) == {}
    path = f"/conversations/{reply['conversation_id']}/messages/{reply['message_id']}/approval"
    assert alice.http.post(path, json={"approved": True}).status_code == 404
    assert found(postgres, alice.id) == {}


def test_erasing_does_not_make_the_quota_fresh(
    serve_api: Callable[..., str], new_user: Callable[..., ApiUser], database: Database, postgres: Postgres
) -> None:
    alice = new_user(api_url=serve_api(quota_turns_per_day=3, quota_tokens_per_day=100_000))
    titled = text("select titled, (select count(*) from follow_up where not settled) from conversation")
    for left in (2, 1, 0):
        assert alice.say("Hello").status_code == 200
        # Until then, more is charged than the title costs.
        wait_for(lambda: database.rows(alice.id, titled) == [(True, 0)])
        before = alice.http.get("/usage").json()["quota"]
        assert alice.http.delete("/data").status_code == 204
        after = alice.http.get("/usage").json()
        assert after["days"] == []
        assert after["quota"]["turns_left"] == before["turns_left"] == left
        assert after["quota"]["tokens_left"] <= before["tokens_left"] < 100_000
    assert alice.say("Hello").status_code == 429
    assert found(postgres, alice.id) == {}


def begin(database: Database, user_id: str) -> Worker:
    turn = NewTurn(user_id, Send(None, "hello"), None, "h", "m", "t", tokens=3)
    begun = turns.begin_turn(database, turn, Limits(1_000, None, None, turns_at_once=20))
    assert isinstance(begun, Begun)
    return Worker(turn, begun)


def act(database: Database, each: Worker, how: int) -> None:
    """What is done with a turn that runs: it ends, is deleted, is cancelled; then what follows a reply."""
    begun = each.begun
    mine = (database, each.turn.user_id, begun.conversation_id)
    if how in (0, 1, 2):
        reached = Reached("so far", None, True, 9, 4)
        turns.checkpoint_turn(database, each.turn, begun.answer_id, reached)
        answer = ended(each, "failed", (7, 3, 2))
        if not turns.end_turn(database, answer, accepted=True):
            assert turns.charge_deleted_turn(database, answer)
    elif how == 3:
        conversations.delete_conversation(*mine)
        turns.charge_deleted_turn(database, ended(each, "failed", (7, 3, 2)))
    elif how == 4:
        turns.force_cancel(database, each.turn.user_id, begun.answer_id)
    title, nothing = Reservation("m", 9, 9), Reservation("other", 9, 9)
    for reservation in (title, nothing):
        follow_ups.reserve(*mine, reservation, None)
    follow_ups.store_title(*mine, "A title", TokenUsage(title.id, 5, 1))
    follow_ups.postpone(*mine, 20, TokenUsage(nothing.id, 5, 1))


def test_whatever_a_turn_does_at_that_moment_nothing_remains(database: Database, postgres: Postgres) -> None:
    """All statements that end, go on with or clean up after a turn, at once with the erasure."""
    seed = random.randrange(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    for _ in range(ROUNDS):
        user_id = f"erased-{uuid.uuid4().hex[:8]}"
        tasks = [partial(act, database, begin(database, user_id), draw.randrange(6)) for _ in range(6)]
        tasks.insert(draw.randrange(4), partial(erasure.erase_user, database, user_id))
        with ThreadPoolExecutor(5) as threads:
            for done in [threads.submit(task) for task in tasks]:
                done.result()
        assert found(postgres, user_id) == {}


Waits = Callable[[Database, Worker], object]
WAITS: dict[str, Waits] = {
    "ends": lambda database, each: turns.end_turn(database, ended(each, "failed", (7, 3, 2)), accepted=True),
    "goes on": lambda database, each: turns.checkpoint_turn(
        database, each.turn, each.begun.answer_id, Reached("so far", None, True, 9, 4)
    ),
    "is cancelled": lambda database, each: turns.force_cancel(
        database, each.turn.user_id, each.begun.answer_id
    ),
    "is deleted": lambda database, each: conversations.delete_conversation(
        database, each.turn.user_id, each.begun.conversation_id
    ),
    "is titled": lambda database, each: follow_ups.store_title(
        database, each.turn.user_id, each.begun.conversation_id, "A title", TokenUsage(uuid.uuid4(), 5, 1)
    ),
    "begins a follow-up": lambda database, each: follow_ups.reserve(
        database, each.turn.user_id, each.begun.conversation_id, Reservation("m", 5, 1), None
    ),
}


@pytest.mark.parametrize("what", WAITS)
def test_a_statement_that_waits_for_the_erasure_writes_nothing(
    what: str, database: Database, postgres: Postgres
) -> None:
    user_id = f"erased-{uuid.uuid4().hex[:8]}"
    each = begin(database, user_id)
    owner = postgres.connect()
    owner.run("begin")
    owner.run("select cast(erase_user(:user) as text)", user=user_id)
    [[backend]] = owner.run("select pg_backend_pid()")
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(WAITS[what], database, each)
        blocked = "select count(*) from pg_stat_activity where :backend = any(pg_blocking_pids(pid))"
        wait_for(lambda: owner.run(blocked, backend=backend) != [[0]])
        owner.run("commit")
        waiting.result()
    owner.close()
    assert found(postgres, user_id) == {}


MANY = """
    with conversations as (
        insert into conversation (id, user_id, title, last_seq, message_count, updated_at)
        select gen_random_uuid(), :user, 'Many', 4, 4, now() - make_interval(days => :age)
        from generate_series(1, :count) returning id
    )
    insert into message (id, conversation_id, user_id, seq, role, status, content, tokens, version_of)
    select gen_random_uuid(), id, :user, seq, 'user', 'completed', repeat('some words ', 50), 9,
        gen_random_uuid()
    from conversations, generate_series(1, 4) as seq
"""


def fill_with_many(postgres: Postgres, user_id: str, count: int, age: int = 0) -> None:
    owner = postgres.connect()
    try:
        owner.run("set session_replication_role = replica")
        owner.run(MANY, user=user_id, count=count, age=age)
    finally:
        owner.close()


def test_ten_thousand_conversations_are_erased_in_one_request(alice: ApiUser, postgres: Postgres) -> None:
    fill_with_many(postgres, alice.id, 10_000)
    started = time.monotonic()
    # A statement may take ten seconds; after that the reply would be 503.
    assert alice.http.delete("/data").status_code == 204
    print("erased in", round(time.monotonic() - started, 2))
    assert found(postgres, alice.id) == {}


def test_what_is_kept_for_a_day_goes_with_the_next_night(database: Database, postgres: Postgres) -> None:
    user_id = f"erased-{uuid.uuid4().hex[:8]}"
    begin(database, user_id)
    erasure.erase_user(database, user_id)
    kept = text("select turns, day = utc_today() from erased_usage")
    assert [tuple(row) for row in database.rows(user_id, kept)] == [(1, True)]
    assert database.rows("somebody else", kept) == []
    erasure.delete_expired(database)
    assert len(database.rows(user_id, kept)) == 1
    database.rows(user_id, text("update erased_usage set day = day - 1 returning 1"))
    assert erasure.delete_expired(database) >= 1
    assert database.rows(user_id, kept) == []
