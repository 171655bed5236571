"""The two statements of a turn: `begin_turn` and `end_turn`. Each is atomic, and may be sent twice."""

import uuid
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from parley.database import Database

LEASE_S = 30

Kind = Literal["send", "regenerate", "edit", "resume"]

EndStatus = Literal["completed", "failed", "cancelled", "waiting_approval"]


@dataclass(frozen=True, slots=True)
class NewTurn:
    """What a client asks for. The new ids are used where no stored turn is taken up again.

    `target_id`: the answer to regenerate or resume, or the question to edit.
    """

    user_id: str
    kind: Kind
    conversation_id: uuid.UUID | None
    target_id: uuid.UUID | None
    new_conversation_id: uuid.UUID
    title: str
    question_id: uuid.UUID
    answer_id: uuid.UUID
    run_id: uuid.UUID
    content: str
    tokens: int
    idempotency_key: str | None
    request_hash: str
    model: str


@dataclass(frozen=True, slots=True)
class Limits:
    history_tokens: int
    quota_turns: int | None
    quota_tokens: int | None


@dataclass(frozen=True, slots=True)
class Begun:
    """The turn runs. `history`: `{"role", "content", "run_items"}` of what precedes the question, of which
    `summary` stands for the part that is left out. `follow_up`: there is work to do after the reply.
    `content` and `run_state` are what a resumed turn had when it stopped.
    """

    conversation_id: uuid.UUID
    question_id: uuid.UUID
    answer_id: uuid.UUID
    question: str
    content: str
    run_state: dict[str, Any] | None
    summary: str | None
    history: list[dict[str, Any]]
    follow_up: bool


@dataclass(frozen=True, slots=True)
class Replay:
    """The idempotency key's turn has ended already."""

    answer_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class Refused:
    reason: Literal["busy", "key_reused", "over_quota", "not_found", "forbidden", "superseded", "wrong_role"]


@dataclass(frozen=True, slots=True)
class Ending:
    """What a turn left behind."""

    status: EndStatus
    content: str
    tokens: int
    run_items: list[dict[str, Any]] | None
    run_state: dict[str, Any] | None
    error: dict[str, Any] | None
    model: str
    input_tokens: int
    output_tokens: int


_BEGIN = text("""
    select begin_turn(
        p_user_id => :user_id, p_kind => :kind, p_conversation_id => :conversation_id,
        p_target_id => :target_id, p_new_conversation_id => :new_conversation_id, p_title => :title,
        p_question_id => :question_id, p_answer_id => :answer_id, p_run_id => :run_id,
        p_content => :content, p_tokens => :tokens,
        p_idempotency_key => :idempotency_key, p_request_hash => :request_hash, p_model => :model,
        p_lease_s => :lease_s, p_history_tokens => :history_tokens, p_quota_turns => :quota_turns,
        p_quota_tokens => :quota_tokens)
""")

# The conversation's row is locked before the message's, as everywhere: no two statements can deadlock.
# `held` is the turn as long as this worker's lease on it stands. Where the same worker has ended it already,
# because the statement was sent twice, nothing changes and nothing is charged again.
_END = text("""
    with conv as (
        select id from conversation where id = :conversation_id and user_id = :user_id for update
    ), held as (
        select m.id, m.status as was, m.completed_at, m.input_tokens, m.output_tokens
        from message m join conv on conv.id = m.conversation_id
        where m.id = :answer_id and m.user_id = :user_id and m.run_id = :run_id
          and (m.status = :status or m.status = 'in_progress' and m.lease_expires_at > clock_timestamp())
        for update of m
    ), ended as (
        update message m
        set status = :status, content = :content, tokens = :tokens, run_items = :run_items, error = :error,
            run_state = :run_state,
            model = :model, input_tokens = :input_tokens, output_tokens = :output_tokens,
            lease_expires_at = null, completed_at = date_trunc('milliseconds', clock_timestamp())
        from held where m.id = held.id and held.was = 'in_progress'
        returning m.completed_at
    ), touched as (
        update conversation c set updated_at = ended.completed_at
        from ended where c.id = :conversation_id and c.user_id = :user_id
    ), charged as (
        insert into usage (user_id, day, model, input_tokens, output_tokens)
        select :user_id, (now() at time zone 'utc')::date, :model,
            :input_tokens - coalesce(held.input_tokens, 0), :output_tokens - coalesce(held.output_tokens, 0)
        from ended cross join held
        on conflict (user_id, day, model) do update
        set input_tokens = usage.input_tokens + excluded.input_tokens,
            output_tokens = usage.output_tokens + excluded.output_tokens
    )
    select completed_at from ended union all select completed_at from held where was <> 'in_progress'
""").bindparams(
    *(bindparam(name, type_=JSONB(none_as_null=True)) for name in ("run_items", "run_state", "error"))
)


# Only the message's row is touched, so that a checkpoint waits for nobody and nobody for it.
_CHECKPOINT = text("""
    update message
    set content = :content, run_items = :run_items,
        lease_expires_at = clock_timestamp() + make_interval(secs => :lease_s)
    where id = :answer_id and user_id = :user_id and run_id = :run_id
      and status = 'in_progress' and lease_expires_at > clock_timestamp()
    returning cancel_requested
""").bindparams(bindparam("run_items", type_=JSONB(none_as_null=True)))

_CANCEL = text("""
    update message set cancel_requested = true
    where id = :answer_id and user_id = :user_id and status = 'in_progress'
      and lease_expires_at > clock_timestamp()
    returning id
""")

_FORCE_CANCEL = text("""
    update message
    set status = 'cancelled', run_id = null, lease_expires_at = null,
        input_tokens = coalesce(input_tokens, 0), output_tokens = coalesce(output_tokens, 0),
        completed_at = date_trunc('milliseconds', clock_timestamp())
    where id = :answer_id and user_id = :user_id and status = 'in_progress'
    returning id
""")


def begin_turn(database: Database, turn: NewTurn, limits: Limits) -> Begun | Replay | Refused:
    """Store the question and the answer's placeholder with a lease, and read the history window."""
    params = {**asdict(turn), **asdict(limits), "lease_s": LEASE_S}
    result = database.rows(turn.user_id, _BEGIN, params)[0][0]
    match result["outcome"]:
        case "started":
            return Begun(
                uuid.UUID(result["conversation_id"]),
                uuid.UUID(result["question_id"]),
                uuid.UUID(result["answer_id"]),
                result["question"],
                result["content"],
                result["run_state"],
                result["summary"],
                result["history"],
                result["follow_up"],
            )
        case "replay":
            return Replay(uuid.UUID(result["answer_id"]))
        case reason:
            return Refused(reason)


def checkpoint_turn(
    database: Database,
    turn: NewTurn,
    answer_id: uuid.UUID,
    content: str,
    run_items: list[dict[str, Any]] | None,
) -> bool | None:
    """Store what there is so far and renew the lease.

    True: someone asked to cancel. None: the turn is lost.
    """
    params = {
        "user_id": turn.user_id,
        "answer_id": answer_id,
        "run_id": turn.run_id,
        "content": content,
        "run_items": run_items,
        "lease_s": LEASE_S,
    }
    rows = database.rows(turn.user_id, _CHECKPOINT, params)
    return rows[0][0] if rows else None


def request_cancel(database: Database, user_id: str, answer_id: uuid.UUID) -> bool:
    """Ask the worker of a running turn to stop; False when it is not running."""
    return bool(database.rows(user_id, _CANCEL, {"user_id": user_id, "answer_id": answer_id}))


def force_cancel(database: Database, user_id: str, answer_id: uuid.UUID) -> None:
    """End a running turn over its worker's head; the worker is fenced off, the last checkpoint stays."""
    database.rows(user_id, _FORCE_CANCEL, {"user_id": user_id, "answer_id": answer_id})


def end_turn(database: Database, turn: NewTurn, begun: Begun, ending: Ending) -> datetime | None:
    """Store how the turn ended and when; None when this worker no longer holds it, and nothing changed."""
    params = {
        **asdict(ending),
        "user_id": turn.user_id,
        "run_id": turn.run_id,
        "conversation_id": begun.conversation_id,
        "answer_id": begun.answer_id,
    }
    rows = database.rows(turn.user_id, _END, params)
    return rows[0][0] if rows else None
