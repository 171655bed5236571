"""SQL of a turn: `begin_turn` and `end_turn`, and the checkpoints between. Each may safely be sent twice."""

import uuid
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, assert_never

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError

from parley.database import Database, error_message, sqlstate
from parley.ids import new_id
from parley.models import Message
from parley.models.tool_call import RunItem
from parley.models.turn import Act, Edit, Regenerate, Resume, Send

LEASE_S = 30

Refusal = Literal[
    "busy",
    "key_reused",
    "over_quota",
    "quota_reserved",
    "too_many",
    "not_found",
    "forbidden",
    "superseded",
    "wrong_role",
]

# What begin_turn.sql raises, with the refusal as its message.
_REFUSED = "TR001"


@dataclass(frozen=True, slots=True)
class NewTurn:
    """A turn to begin. The new ids are used where no stored turn is taken up again.

    `model`: the one that the client names, of those that `Limits` has on offer; None where it names none.
    """

    user_id: str
    act: Act
    idempotency_key: str | None
    request_hash: str
    model: str | None
    title: str
    tokens: int
    # No model reads the question before `checkpoint_turn` or `end_turn` says that it was accepted.
    guarded: bool = False
    new_conversation_id: uuid.UUID = field(default_factory=new_id)
    question_id: uuid.UUID = field(default_factory=new_id)
    answer_id: uuid.UUID = field(default_factory=new_id)
    lease_id: uuid.UUID = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Limits:
    """`fixed_tokens`: of the agent's instructions and tools. `answer_tokens`: reserved for an answer.

    `models`: those on offer, the default first. `fence_tokens`: of what is said around the user's own
    instructions; None where the agent does not read them.
    """

    history_tokens: int
    quota_turns: int | None
    quota_tokens: int | None
    turns_at_once: int = 4
    fixed_tokens: int = 0
    answer_tokens: int = 1_000
    models: tuple[str, ...] = ()
    fence_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """The turn has begun, with `model`. `instructions`: the user's own, where the agent reads them.

    `history`: `{"role", "content", "run_items"}` of the messages before the question, as far as they fit;
    `summary` stands for the rest. `content` and `run_state`: what a resumed turn had when it stopped.
    `follow_up`: there is work to do after the reply.
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
    model: str
    instructions: str | None


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a running turn has come. `accepted`: the guardrails have let the question pass."""

    content: str
    run_items: list[RunItem] | None
    accepted: bool
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Replay:
    """The idempotency key's turn has ended already."""

    answer_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class Refused:
    reason: Refusal


_BEGIN = text("select begin_turn(:request)").bindparams(bindparam("request", type_=JSONB))

# The conversation's row is locked before the message's, as everywhere, so that no two statements deadlock.
# `held` is the turn while this worker's lease on it stands. If the same worker has ended it already, because
# the statement was sent twice, nothing changes and nothing is charged again. A turn that was resumed adds to
# what it spent before it waited.
_END = text("""
    with conv as (
        select id from conversation where id = :conversation_id and user_id = :user_id for update
    ), held as (
        select m.id, m.status as was, m.completed_at, m.input_tokens, m.cached_tokens, m.output_tokens,
            m.estimated
        from message m join conv on conv.id = m.conversation_id
        where m.id = :id and m.user_id = :user_id and m.lease_id = :lease_id
          and (m.status = :status or m.status = 'in_progress' and m.lease_expires_at > clock_timestamp())
        for update of m
    ), ended as (
        update message m
        set status = :status, content = :content, tokens = :tokens, run_items = :run_items, error = :error,
            run_state = :run_state, model = :model, incomplete = :incomplete,
            withheld = :withheld or m.withheld and not :accepted,
            -- A turn may be resumed often, and the columns have 31 bits.
            input_tokens = least(coalesce(held.input_tokens, 0)::bigint + :input_tokens, 2147483647),
            cached_tokens = least(held.cached_tokens::bigint + :cached_tokens, 2147483647),
            output_tokens = least(coalesce(held.output_tokens, 0)::bigint + :output_tokens, 2147483647),
            estimated = held.estimated or :estimated,
            reserved_input = null, reserved_output = null,
            lease_expires_at = null, completed_at = date_trunc('milliseconds', clock_timestamp())
        from held where m.id = held.id and held.was = 'in_progress'
        returning m.completed_at, m.input_tokens, m.cached_tokens, m.output_tokens, m.estimated, m.withheld
    ), judged as (
        update message q set withheld = ended.withheld
        from ended where q.id = :reply_to and q.user_id = :user_id and q.withheld <> ended.withheld
    ), touched as (
        update conversation c
        set updated_at = ended.completed_at,
            -- The first title is the beginning of the first question, which may be this one.
            title = case when ended.withheld and not c.titled and not exists (
                select from message e
                where e.conversation_id = c.id and e.role = 'user' and not e.superseded and not e.withheld
                  and e.id <> :reply_to
            ) then 'New conversation' else c.title end
        from ended where c.id = :conversation_id and c.user_id = :user_id
    )
    select completed_at, input_tokens, cached_tokens, output_tokens, estimated,
        charge(:user_id, :model, :input_tokens, :output_tokens, :cached_tokens)
    from ended
    union all
    select completed_at, input_tokens, cached_tokens, output_tokens, estimated, 0 from held
    where was <> 'in_progress'
""").bindparams(
    *(bindparam(name, type_=JSONB(none_as_null=True)) for name in ("run_items", "run_state", "error"))
)
# Columns of the message, all but one.
_ENDING = set(_END.compile().params)

# What was reserved was charged on the day of the deletion. Puts that right once, however often it is sent.
_CHARGE_DELETED = text("""
    with held as (
        select answer_id, charged, (deleted_at at time zone 'utc')::date as day,
            reserved_input, reserved_output
        from deleted_turn
        where answer_id = :id and user_id = :user_id and lease_id = :lease_id for update
    ), marked as (
        update deleted_turn d set charged = true
        from held where d.answer_id = held.answer_id and d.user_id = :user_id and not held.charged
        returning 1
    ), charged as (
        update usage u
        set input_tokens = u.input_tokens - held.reserved_input + :input_tokens,
            cached_tokens = u.cached_tokens + :cached_tokens,
            output_tokens = u.output_tokens - held.reserved_output + :output_tokens
        from held, marked where u.user_id = :user_id and u.day = held.day and u.model = :model
    )
    select 1 from held
    union all
    -- Its user has erased everything.
    select 1 where not exists (select from message where id = :id and user_id = :user_id)
""")
_DELETED = set(_CHARGE_DELETED.compile().params)

# Touches the messages' rows only, so that a checkpoint waits for nobody and nobody waits for it. A turn that
# has spent more than it reserved has reserved too little.
_CHECKPOINT = text("""
    with kept as (
        update message
        set content = :content, run_items = :run_items, withheld = withheld and not :accepted,
            reserved_input = greatest(reserved_input, :input_tokens),
            reserved_output = greatest(reserved_output, :output_tokens),
            lease_expires_at = clock_timestamp() + make_interval(secs => :lease_s)
        where id = :answer_id and user_id = :user_id and lease_id = :lease_id
          and status = 'in_progress' and lease_expires_at > clock_timestamp()
        returning cancel_requested, reply_to
    ), judged as (
        update message q set withheld = false
        from kept where :accepted and q.id = kept.reply_to and q.user_id = :user_id and q.withheld
    )
    select cancel_requested from kept
""").bindparams(bindparam("run_items", type_=JSONB(none_as_null=True)))

_CANCEL = text("""
    update message set cancel_requested = true
    where id = :answer_id and user_id = :user_id and status = 'in_progress'
      and lease_expires_at > clock_timestamp()
    returning id
""")

# Nobody will say what the turn spent, so it is charged what it reserved.
_FORCE_CANCEL = text("""
    with conv as (
        select c.id from conversation c join message m on m.conversation_id = c.id
        where m.id = :answer_id and c.user_id = :user_id for update of c
    ), held as (
        select m.id, m.model, coalesce(m.reserved_input, 0) as input, coalesce(m.reserved_output, 0) as output
        from message m join conv on conv.id = m.conversation_id
        where m.id = :answer_id and m.user_id = :user_id and m.status = 'in_progress' for update of m
    ), ended as (
        update message m
        set status = 'cancelled', lease_id = null, lease_expires_at = null,
            input_tokens = least(coalesce(m.input_tokens, 0)::bigint + held.input, 2147483647),
            output_tokens = least(coalesce(m.output_tokens, 0)::bigint + held.output, 2147483647),
            estimated = true, reserved_input = null, reserved_output = null,
            completed_at = date_trunc('milliseconds', clock_timestamp())
        from held where m.id = held.id
    )
    select charge(:user_id, model, input, output) from held
""")


def begin_turn(database: Database, turn: NewTurn, limits: Limits) -> Begun | Replay | Refused:
    """Store the question and the answer's placeholder with a lease, and read the history window."""
    try:
        result = database.rows(turn.user_id, _BEGIN, {"request": _turn_request(turn, limits)})[0][0]
    except DBAPIError as error:
        if sqlstate(error.orig) != _REFUSED:
            raise
        return Refused(error_message(error.orig))  # type: ignore[arg-type]
    values: dict[str, Any] = {
        name: uuid.UUID(value) if name.endswith("_id") else value for name, value in result.items()
    }
    return Replay(**values) if values.pop("outcome") == "replay" else Begun(**values)


def _turn_request(turn: NewTurn, limits: Limits) -> dict[str, Any]:
    """The arguments of begin_turn.sql; its type turn_request says what each means."""
    target_id: uuid.UUID | None = None
    content: str | None = None
    match turn.act:
        case Send(message=content):
            act = "send"
        case Regenerate(answer_id=target_id):
            act = "regenerate"
        case Edit(question_id=target_id, message=content):
            act = "edit"
        case Resume(answer_id=target_id):
            act = "resume"
        case _:
            assert_never(turn.act)
    of_act = {"act": act, "conversation_id": turn.act.conversation_id, "target_id": target_id}
    request = asdict(turn) | asdict(limits) | of_act | {"content": content, "lease_s": LEASE_S}
    return {name: str(value) if isinstance(value, uuid.UUID) else value for name, value in request.items()}


def checkpoint_turn(database: Database, turn: NewTurn, answer_id: uuid.UUID, reached: Reached) -> bool | None:
    """Store what there is so far, and renew the lease.

    True: cancelling was requested. None: this worker no longer holds the turn.
    """
    params = asdict(reached) | {
        "user_id": turn.user_id,
        "answer_id": answer_id,
        "lease_id": turn.lease_id,
        "lease_s": LEASE_S,
    }
    rows = database.rows(turn.user_id, _CHECKPOINT, params)
    return rows[0][0] if rows else None


def request_cancel(database: Database, user_id: str, answer_id: uuid.UUID) -> bool:
    """Ask the worker of a running turn to stop; False when it is not running."""
    return bool(database.rows(user_id, _CANCEL, {"user_id": user_id, "answer_id": answer_id}))


def force_cancel(database: Database, user_id: str, answer_id: uuid.UUID) -> None:
    """End and charge a running turn whose worker does not react, and take its lease.

    The last checkpoint stays.
    """
    database.rows(user_id, _FORCE_CANCEL, {"user_id": user_id, "answer_id": answer_id})


def end_turn(database: Database, answer: Message, accepted: bool) -> bool:
    """Store how a turn ended, and note in `answer` when, and what it cost in all.

    `accepted`: the guardrails have let the question pass. What they had not is withheld on.
    False when `answer.lease_id` is no longer its lease.
    """
    rows = database.rows(answer.user_id, _END, answer.model_dump(include=_ENDING) | {"accepted": accepted})
    if rows:
        answer.completed_at, answer.input_tokens, answer.cached_tokens = rows[0][:3]
        answer.output_tokens, answer.estimated = rows[0][3:5]
    return bool(rows)


def charge_deleted_turn(database: Database, answer: Message) -> bool:
    """Put right what a turn was charged whose conversation was deleted; False if it was not."""
    return bool(database.rows(answer.user_id, _CHARGE_DELETED, answer.model_dump(include=_DELETED)))
