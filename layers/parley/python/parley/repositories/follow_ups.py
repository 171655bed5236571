"""SQL of what is done after a reply: the rolling summary and the title. Idempotent, and safe to leave out."""

import uuid
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from parley.database import Database
from parley.ids import new_id


@dataclass(frozen=True, slots=True)
class Pending:
    """What a conversation waits for. `opening` is its first message, where it has no title yet.

    `to_fold` are messages `{"role", "content"}`, from seq `summary_seq` on and before `fold_until`, that the
    summary is to stand for as well.
    """

    opening: str | None
    summary: str | None
    summary_seq: int
    fold_until: int
    to_fold: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Reservation:
    """What one request to the model may cost. By its id it is charged once."""

    model: str
    reserved_input: int
    reserved_output: int
    id: uuid.UUID = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """What the request cost that had this reservation."""

    reservation_id: uuid.UUID
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0


# About four windows are folded at once: where more was left out, the next follow-up goes on. What is withheld
# is not read, and nothing is folded past a question that is still being judged. The title may be of the
# question of `accepted_id` while that is being answered: that it was accepted may not be stored yet.
_READ = text("""
    with conv as (
        select *, least(unjudged_seq, case when tokens > :history_tokens
                                           then cut_window(id, window_seq, last_seq, :history_tokens / 2)
                                           else window_seq end) as cut
        from conversation c cross join lateral (
            select sum(tokens) as tokens from message m
            where m.conversation_id = c.id and not m.superseded and not m.withheld and m.seq >= c.window_seq
        ) as in_window cross join lateral (
            select coalesce(min(q.seq), 2147483647) as unjudged_seq
            from message a join message q on q.id = a.reply_to
            where a.conversation_id = c.id and a.status = 'in_progress' and q.withheld
        ) as running
        where c.id = :conversation_id and c.user_id = :user_id
    ), foldable as (
        select m.seq, m.role, m.content, m.tokens, sum(m.tokens) over (order by m.seq) as so_far
        from message m join conv on conv.id = m.conversation_id
        where not m.superseded and not m.withheld and m.seq >= conv.summary_seq and m.seq < conv.cut
    ), folded as (
        -- With the message that passes four windows, alone if need be: it would keep back all later ones.
        select seq, role, left(content, :history_tokens * 12) as content
        from foldable where so_far - tokens <= :history_tokens * 4
    )
    select
        case when not conv.titled then (
            select content from message
            where conversation_id = conv.id and role = 'user' and not superseded
              and (not withheld or id = (
                  select reply_to from message where id = :accepted_id and status = 'in_progress'
              ))
            order by seq limit 1
        ) end as opening,
        conv.summary, conv.summary_seq,
        case when (select count(*) from folded) = (select count(*) from foldable) then conv.cut
             else (select max(seq) + 1 from folded) end as fold_until,
        coalesce((select jsonb_agg(jsonb_build_object('role', role, 'content', content) order by seq)
                  from folded where content <> ''), '[]') as to_fold
    from conv
""")

_RESERVE = text("""
    select reserve_follow_up(
        :conversation_id,
        jsonb_populate_record(null::follow_up, :reservation),
        :quota_tokens
    )
""").bindparams(bindparam("reservation", type_=JSONB))

# All put right in the same statement what was charged, whether or not what was written is of use, and though
# the conversation has been deleted. The row of `usage` is gone if the user has erased everything. `stored` is
# asked for so that the conversation is locked first, as everywhere.
_SETTLED = """
        returning 1
    ), settled as (
        update follow_up set settled = true
        where id = :reservation_id and user_id = :user_id and not settled
          and (select count(*) from stored) >= 0
        returning model, (begun_at at time zone 'utc')::date as day, reserved_input, reserved_output
    )
    update usage u
    set input_tokens = u.input_tokens - settled.reserved_input + :input_tokens,
        cached_tokens = u.cached_tokens + :cached_tokens,
        output_tokens = u.output_tokens - settled.reserved_output + :output_tokens
    from settled where u.user_id = :user_id and u.day = settled.day and u.model = settled.model
    returning 1
"""

# A title given meanwhile stays.
_TITLED = """
    with stored as (
        update conversation set title = :title, titled = true
        where id = :conversation_id and user_id = :user_id and not titled
"""

# Nothing is stored when an edit has replaced what was folded, or another follow-up was quicker.
_FOLDED = """
    with conv as (
        select c.id, c.summary_seq = :summary_seq and c.summary is not distinct from :summary
            and (select count(*) from message m
                 where m.conversation_id = c.id and not m.superseded and not m.withheld and m.content <> ''
                   and m.seq >= :summary_seq and m.seq < :fold_until) = :count as is_current
        from conversation c
        where c.id = :conversation_id and c.user_id = :user_id for update
    ), stored as (
        update conversation c
        set summary = :new_summary, summary_seq = :fold_until, window_seq = greatest(window_seq, :fold_until)
        from conv where c.id = conv.id and conv.is_current
"""

# A model that had no answer to a question has none a moment later: some turns pass before the next try.
_POSTPONED = """
    with stored as (
        update conversation set follow_up_after = last_seq + :messages
        where id = :conversation_id and user_id = :user_id
"""

_STORE_TITLE = text(_TITLED + _SETTLED)
_STORE_SUMMARY = text(_FOLDED + _SETTLED)
_POSTPONE = text(_POSTPONED + _SETTLED)


def read_pending(
    database: Database,
    user_id: str,
    conversation_id: uuid.UUID,
    accepted_id: uuid.UUID,
    history_tokens: int,
) -> Pending | None:
    """What is due. `accepted_id`: the answer whose question the guardrails have accepted."""
    params = {
        "user_id": user_id,
        "conversation_id": conversation_id,
        "accepted_id": accepted_id,
        "history_tokens": history_tokens,
    }
    rows = database.rows(user_id, _READ, params)
    return Pending(*rows[0]) if rows else None


def reserve(
    database: Database,
    user_id: str,
    conversation_id: uuid.UUID,
    reservation: Reservation,
    quota_tokens: int | None,
) -> bool:
    """Charge what the request may cost. False: that is more than is left, or the conversation is gone."""
    given = {**asdict(reservation), "id": str(reservation.id), "user_id": user_id}
    params = {"conversation_id": conversation_id, "reservation": given, "quota_tokens": quota_tokens}
    return bool(database.rows(user_id, _RESERVE, params)[0][0])


def store_title(
    database: Database, user_id: str, conversation_id: uuid.UUID, title: str, spent: TokenUsage
) -> None:
    params = {"user_id": user_id, "conversation_id": conversation_id, "title": title, **asdict(spent)}
    database.rows(user_id, _STORE_TITLE, params)


def store_summary(
    database: Database,
    user_id: str,
    conversation_id: uuid.UUID,
    folded: Pending,
    summary: str,
    spent: TokenUsage,
) -> None:
    params = {
        "user_id": user_id,
        "conversation_id": conversation_id,
        "new_summary": summary,
        "count": len(folded.to_fold),
        **asdict(folded),
        **asdict(spent),
    }
    database.rows(user_id, _STORE_SUMMARY, params)


def postpone(
    database: Database, user_id: str, conversation_id: uuid.UUID, messages: int, spent: TokenUsage
) -> None:
    """Settle what was spent in vain, and let no follow-up be due for the next `messages`."""
    params = {"user_id": user_id, "conversation_id": conversation_id, "messages": messages, **asdict(spent)}
    database.rows(user_id, _POSTPONE, params)
