"""begin_turn and its steps, each by itself."""

import dataclasses
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from parley.database import Database, error_message, sqlstate
from parley.ids import new_id
from parley.models import Message
from parley.models.turn import Act, Decision, Edit, Regenerate, Resume, Send
from parley.repositories.conversations import delete_conversation
from parley.repositories.turns import (
    Begun,
    Limits,
    NewTurn,
    Reached,
    Refused,
    Replay,
    _turn_request,
    begin_turn,
    checkpoint_turn,
    end_turn,
)

pytestmark = pytest.mark.both_transports

LIMITS = Limits(history_tokens=1_000, quota_turns=None, quota_tokens=None)


class Turns:
    """One user's turns, begun and ended without a model."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.user_id = f"user-{uuid.uuid4().hex[:8]}"

    def new(self, act: Act, key: str | None = None, request_hash: str = "h") -> NewTurn:
        return NewTurn(self.user_id, act, key, request_hash, model="m", title="t", tokens=3)

    def begin(self, turn: NewTurn, limits: Limits = LIMITS) -> Begun | Replay | Refused:
        return begin_turn(self.database, turn, limits)

    def begun(self, act: Act, key: str | None = None) -> tuple[NewTurn, Begun]:
        turn = self.new(act, key)
        begun = self.begin(turn)
        assert isinstance(begun, Begun)
        return turn, begun

    def ended(self, act: Act, status: Any = "completed", key: str | None = None) -> Begun:
        turn, begun = self.begun(act, key)
        run_state: dict[str, Any] | None = {"run": {}} if status == "waiting_approval" else None
        values: dict[str, Any] = {
            "id": begun.answer_id,
            "conversation_id": begun.conversation_id,
            "user_id": self.user_id,
            "lease_id": turn.lease_id,
            "status": status,
            "content": "answer",
            "tokens": 3,
            "run_state": run_state,
            "model": "m",
            "input_tokens": 1,
            "output_tokens": 1,
        }
        assert end_turn(self.database, Message(**values), accepted=True) is not None
        return begun

    def step(self, call: str, request: dict[str, Any], **params: Any) -> Any:
        """One step of begin_turn, with `r` as its request."""
        statement = text(f"""
            select to_jsonb(step) from jsonb_populate_record(null::turn_request, cast(:request as jsonb)) as r
            cross join lateral {call} as step
        """)
        request = {"user_id": self.user_id, **request}
        rows = self.database.rows(
            self.user_id, statement, {"request": json.dumps(request, default=str), **params}
        )
        return rows[0][0]

    def refusal(self, call: str, request: dict[str, Any], **params: Any) -> str:
        with pytest.raises(DBAPIError) as raised:
            self.step(call, request, **params)
        assert sqlstate(raised.value.orig) == "TR001"
        return error_message(raised.value.orig)

    def read(self, columns: str, message_id: uuid.UUID) -> Any:
        statement = text(f"select {columns} from message where id = :id")
        return tuple(self.database.rows(self.user_id, statement, {"id": message_id})[0])

    def change(self, message_id: uuid.UUID, changes: str) -> None:
        statement = text(f"update message set {changes} where id = :id returning 1")
        assert self.database.rows(self.user_id, statement, {"id": message_id})


@pytest.fixture
def turns(database: Database) -> Iterator[Turns]:
    yield Turns(database)


def test_the_turn_of_a_key_is_found_unless_the_request_is_another(turns: Turns) -> None:
    _, begun = turns.begun(Send(None, "Hello"), key="k")
    find = "find_turn_of_key(r)"
    request = {"act": "send", "idempotency_key": "k"}
    assert turns.step(find, request | {"request_hash": "h"})["id"] == str(begun.answer_id)
    assert turns.step(find, request | {"idempotency_key": "other", "request_hash": "h"})["id"] is None
    # The key of a decision is looked for where decisions keep theirs.
    assert turns.step(find, request | {"act": "resume", "request_hash": "x"})["id"] is None
    assert turns.refusal(find, request | {"request_hash": "x"}) == "key_reused"


@pytest.mark.parametrize("quota", [{"quota_turns": 1}, {"quota_tokens": 2}])
def test_a_quota_is_over_when_it_is_reached(turns: Turns, quota: dict[str, int]) -> None:
    check, request = "(select check_bounds(r, 100)::text)", {"act": "send"}
    turns.step(check, request | quota)
    turns.ended(Send(None, "Hello"))
    assert turns.refusal(check, request | quota) == "over_quota"
    turns.step(check, request | {name: value + 1 for name, value in quota.items()})


def test_a_turn_that_is_resumed_was_counted_before(turns: Turns) -> None:
    turns.ended(Send(None, "Hello"), "waiting_approval")
    check = "(select check_bounds(r, 100)::text)"
    turns.step(check, {"act": "resume", "quota_turns": 1})
    assert turns.refusal(check, {"act": "send", "quota_turns": 1}) == "over_quota"


def test_what_running_turns_have_reserved_is_kept_for_them(turns: Turns) -> None:
    turn, begun = turns.begun(Send(None, "Hello"))
    reserved = sum(turns.read("reserved_input, reserved_output", begun.answer_id))
    check = "(select check_bounds(r, 100)::text)"
    turns.step(check, {"act": "send", "quota_tokens": reserved + 100})
    assert turns.refusal(check, {"act": "send", "quota_tokens": reserved + 99}) == "quota_reserved"
    # It has spent more already.
    reached = Reached("so far", None, True, reserved + 1, 0)
    assert checkpoint_turn(turns.database, turn, begun.answer_id, reached) is False
    assert turns.refusal(check, {"act": "send", "quota_tokens": reserved + 100}) == "quota_reserved"


def test_a_turn_reserves_what_the_model_will_read_and_an_answer(turns: Turns) -> None:
    limits = dataclasses.replace(LIMITS, fixed_tokens=50, answer_tokens=70)
    first = turns.ended(Send(None, "Hello"))  # 3 tokens, and 3 of the answer
    summary = text("update conversation set summary = repeat('x', 30) returning 1")
    assert turns.database.rows(turns.user_id, summary)
    begun = turns.begin(turns.new(Send(first.conversation_id, "Again")), limits)
    assert isinstance(begun, Begun)
    columns = "reserved_input, reserved_output"
    assert turns.read(columns, begun.answer_id) == (3 + 3 + 10 + 3 + 50, 70)


def test_the_users_own_instructions_are_read_and_reserved_for(turns: Turns) -> None:
    own = text("insert into user_settings (user_id, instructions) values (:id, :own) returning 1")
    assert turns.database.rows(turns.user_id, own, {"id": turns.user_id, "own": "Call me Ada\nand be brief."})
    for fence_tokens, told, reserved in ((None, None, 53), (20, "Call me Ada\nand be brief.", 53 + 20 + 9)):
        limits = dataclasses.replace(LIMITS, fixed_tokens=50, fence_tokens=fence_tokens)
        begun = turns.begin(turns.new(Send(None, "Hello")), limits)
        assert isinstance(begun, Begun)
        assert begun.instructions == told
        assert turns.read("reserved_input", begun.answer_id) == (reserved,)


def test_the_model_is_the_clients_or_the_answers_or_the_conversations_or_the_default(turns: Turns) -> None:
    of_id = "(select m from message m where m.id = :id)"
    choose = f"to_jsonb(choose_model(r, (select c from conversation c), {of_id}))"
    turn, begun = turns.begun(Send(None, "Hello"))
    turns.change(begun.answer_id, "model = 'b'")
    model = text("update conversation set model = 'c' returning 1")
    assert turns.database.rows(turns.user_id, model)
    for named, models, answer_id, chosen in (
        ("d", ["a", "b", "c", "d"], begun.answer_id, "d"),
        (None, ["a", "b", "c"], begun.answer_id, "b"),
        (None, ["a", "b", "c"], turn.question_id, "c"),
        (None, ["a", "c"], begun.answer_id, "c"),
        (None, ["a"], begun.answer_id, "a"),
    ):
        assert turns.step(choose, {"model": named, "models": models}, id=answer_id) == chosen


def test_a_worker_of_the_version_before_is_understood(turns: Turns) -> None:
    """It always names a model, and knows no more of what it is told than it did."""
    turn = turns.new(Send(None, "Hello"))
    request = _turn_request(turn, LIMITS)
    for name in ("models", "fence_tokens"):
        del request[name]
    begin = text("select begin_turn(cast(:request as jsonb))")
    begun = turns.database.rows(turns.user_id, begin, {"request": json.dumps(request)})[0][0]
    assert not begun.keys() & {"model", "instructions"}
    assert turns.read("model", turn.answer_id) == ("m",)
    assert turns.database.rows(turns.user_id, text("select model from conversation"))[0][0] is None


def test_four_turns_of_a_user_run_at_once(turns: Turns) -> None:
    check, four = "(select check_bounds(r, 100)::text)", {"act": "send", "turns_at_once": 4}
    running = [turns.begun(Send(None, "Hello"))[1] for _ in range(4)]
    assert turns.refusal(check, four) == "too_many"
    assert turns.begin(turns.new(Send(None, "Hello"))) == Refused("too_many")
    # A worker whose turn was deleted goes on for a moment.
    assert delete_conversation(turns.database, turns.user_id, running[0].conversation_id)
    assert turns.refusal(check, four) == "too_many"
    # A lease that has run out does not count.
    turns.change(running[1].answer_id, "lease_expires_at = clock_timestamp()")
    assert isinstance(turns.begin(turns.new(Send(None, "Hello"))), Begun)
    assert turns.begin(turns.new(Send(None, "Hello"))) == Refused("too_many")


def test_a_conversation_is_locked_made_or_refused(turns: Turns, database: Database) -> None:
    lock = "lock_conversation(r, null)"
    begun = turns.ended(Send(None, "Hello"))
    assert turns.step(lock, {"conversation_id": begun.conversation_id})["id"] == str(begun.conversation_id)
    made = new_id()
    assert turns.step(lock, {"new_conversation_id": made, "title": "New"})["title"] == "New"
    assert turns.refusal(lock, {"conversation_id": new_id()}) == "not_found"
    others = Turns(database).ended(Send(None, "Hello"))
    assert turns.refusal(lock, {"conversation_id": others.conversation_id}) == "forbidden"


def test_a_running_turn_is_in_the_way_of_any_but_itself(turns: Turns) -> None:
    turn, begun = turns.begun(Send(None, "Hello"))
    find, where = "find_running(r, :id)", {"id": begun.conversation_id}
    assert turns.step(find, {"lease_id": turn.lease_id}, **where)["id"] == str(begun.answer_id)
    assert turns.refusal(find, {"lease_id": new_id()}, **where) == "busy"
    turns.change(begun.answer_id, "status = 'failed'")
    assert turns.step(find, {"lease_id": new_id()}, **where)["id"] is None


def test_an_expired_turn_is_ended_and_charged_a_running_one_is_not(turns: Turns) -> None:
    (_, dead), (_, alive) = turns.begun(Send(None, "Hello")), turns.begun(Send(None, "Hello"))
    turns.change(dead.answer_id, "lease_expires_at = clock_timestamp()")
    for _ in range(2):
        turns.step("(select end_expired_turns(r.user_id)::text)", {})
    columns = "status, input_tokens, output_tokens, reserved_input, estimated"
    assert turns.read(columns, dead.answer_id) == ("interrupted", 3, 1_000, None, True)
    assert turns.read(columns, alive.answer_id) == ("in_progress", None, None, 3, False)
    usage = text("select sum(input_tokens), sum(output_tokens) from usage")
    assert turns.database.rows(turns.user_id, usage) == [(3, 1_000)]


def test_what_a_turn_costs_is_added_when_it_runs_again(turns: Turns) -> None:
    begun = turns.ended(Send(None, "Hello"), "failed", key="k")
    again = turns.ended(Send(None, "Hello"), "completed", key="k")
    assert again.answer_id == begun.answer_id
    assert turns.read("input_tokens, output_tokens", begun.answer_id) == (2, 2)
    usage = text("select sum(turns), sum(input_tokens), sum(output_tokens) from usage")
    assert turns.database.rows(turns.user_id, usage) == [(2, 2, 2)]


def test_a_target_is_what_the_act_can_be_done_with(turns: Turns, database: Database) -> None:
    begun = turns.ended(Send(None, "Hello"))
    choose, where = "choose_target(r, :id)", {"id": begun.conversation_id}

    def target(act: str, message_id: uuid.UUID) -> dict[str, Any]:
        return {"act": act, "target_id": message_id}

    assert turns.step(choose, target("edit", begun.question_id), **where)["id"] == str(begun.question_id)
    assert turns.step(choose, target("regenerate", begun.answer_id), **where)["id"] == str(begun.answer_id)
    assert turns.refusal(choose, target("edit", begun.answer_id), **where) == "wrong_role"
    assert turns.refusal(choose, target("resume", begun.question_id), **where) == "wrong_role"
    assert turns.refusal(choose, target("edit", new_id()), **where) == "not_found"
    elsewhere = turns.ended(Send(None, "Hello"))
    assert turns.refusal(choose, target("edit", elsewhere.question_id), **where) == "not_found"
    others = Turns(database).ended(Send(None, "Hello"))
    assert turns.refusal(choose, target("edit", others.question_id), **where) == "forbidden"
    turns.ended(Edit(begun.conversation_id, begun.question_id, "Hello?"))
    assert turns.refusal(choose, target("regenerate", begun.answer_id), **where) == "superseded"


def test_a_key_stands_for_one_decision(turns: Turns) -> None:
    begun = turns.ended(Send(None, "Hello"), "waiting_approval")
    resume = Resume(begun.conversation_id, begun.answer_id, Decision(approved=True))
    assert turns.ended(resume, "waiting_approval", key="k").answer_id == begun.answer_id
    assert turns.begin(turns.new(resume, "k")) == Replay(begun.answer_id)
    assert turns.begin(turns.new(resume, "k", request_hash="x")) == Refused("key_reused")
    assert isinstance(turns.begin(turns.new(resume, "other")), Begun)


def test_a_new_message_rejects_the_calls_that_wait(turns: Turns) -> None:
    begun = turns.ended(Send(None, "Hello"), "waiting_approval")
    turns.ended(Send(begun.conversation_id, "Never mind"))
    assert turns.read("status, run_state", begun.answer_id) == ("cancelled", None)


def test_a_regenerated_answer_is_a_version_and_an_edited_question_gets_a_new_one(turns: Turns) -> None:
    first = turns.ended(Send(None, "Hello"))
    second = turns.ended(Regenerate(first.conversation_id, first.answer_id))
    columns = "version_of, version, reply_to, superseded"
    assert turns.read(columns, second.answer_id) == (first.answer_id, 2, first.question_id, False)
    assert turns.read("superseded", first.answer_id) == (True,)
    edited = turns.ended(Edit(first.conversation_id, first.question_id, "Hello?"))
    assert turns.read("version_of, version", edited.question_id) == (first.question_id, 2)
    assert turns.read(columns, edited.answer_id) == (edited.answer_id, 1, edited.question_id, False)
    count = text("select message_count, last_seq from conversation where id = :id")
    rows = turns.database.rows(turns.user_id, count, {"id": first.conversation_id})
    assert tuple(rows[0]) == (2, 5)


@pytest.mark.parametrize("act", ["send", "regenerate", "edit", "resume"])
def test_a_statement_that_is_sent_twice_begins_one_turn(turns: Turns, act: str) -> None:
    first = turns.ended(Send(None, "Hello"), "waiting_approval" if act == "resume" else "completed")
    acts: dict[str, Act] = {
        "send": Send(first.conversation_id, "Again"),
        "regenerate": Regenerate(first.conversation_id, first.answer_id),
        "edit": Edit(first.conversation_id, first.question_id, "Hello?"),
        "resume": Resume(first.conversation_id, first.answer_id, Decision(approved=True)),
    }
    turn = turns.new(acts[act], "k")
    once, again = turns.begin(turn), turns.begin(turn)
    assert isinstance(once, Begun)
    assert isinstance(again, Begun)
    assert dataclasses.replace(again, follow_up=once.follow_up) == once
    count = text("""
        select message_count, (select count(*) from message where conversation_id = c.id and not superseded),
            last_seq, (select max(seq) from message where conversation_id = c.id),
            (select sum(turns) from usage)
        from conversation c where id = :id
    """)
    counted, there, last, highest, begun = turns.database.rows(
        turns.user_id, count, {"id": first.conversation_id}
    )[0]
    assert (counted, last) == (there, highest)
    assert begun == (1 if act == "resume" else 2)


def test_a_refused_turn_stores_nothing(turns: Turns) -> None:
    limits = dataclasses.replace(LIMITS, quota_turns=1)
    turns.ended(Send(None, "Hello"))
    assert turns.begin(turns.new(Send(None, "Again")), limits) == Refused("over_quota")
    assert turns.database.rows(turns.user_id, text("select count(*) from conversation"))[0][0] == 1


def test_beginning_a_turn_reads_no_more_rows_in_a_long_conversation(turns: Turns) -> None:
    """All but the rows of the window, which is bounded by its tokens and here one turn."""
    begun = turns.ended(Send(None, "Hello"))
    conversation_id = begun.conversation_id
    fill = text("""
        with more as (
            insert into message (id, conversation_id, user_id, seq, role, status, tokens, version_of, content)
            select id, :conversation_id, :user_id, seq,
                case mod(seq, 2) when 1 then 'user' else 'assistant' end,
                'completed', 3, id, 'long ago'
            from (select gen_random_uuid() as id, generate_series(1001, 6000) as seq) as added returning 1
        ), moved as (
            update conversation set last_seq = 6000, window_seq = 6000 where id = :conversation_id returning 1
        )
        select count(*) from more, moved
    """)
    params = {"conversation_id": conversation_id, "user_id": turns.user_id}
    assert turns.database.rows(turns.user_id, fill, params)[0][0] == 5_000
    # Rows that this transaction has read of the table, by index and by scan.
    count = text("""
        select pg_stat_get_xact_tuples_fetched('message'::regclass)
            + pg_stat_get_xact_tuples_returned('message'::regclass)
        from (select begin_turn(cast(:request as jsonb)) as begun offset 0) as turn where begun is not null
    """)
    turn = turns.new(Send(conversation_id, "And now?"))
    request = json.dumps(_turn_request(turn, LIMITS))
    # A server process may still count rows of its transaction before.
    assert turns.database.rows(turns.user_id, count, {"request": request})[0][0] < 100
