"""SQL of what is done after a reply: the rolling summary and the title. Idempotent, and safe to leave out."""

import uuid
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import text

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
class TokenUsage:
    """What one request to the model cost. By its id it is charged once."""

    model: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    charge_id: uuid.UUID = field(default_factory=new_id)


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

# All charge the user in the same statement, whether or not what was written is of use, and though the
# conversation has been deleted.
_CHARGED = """
    )
    select charge(:user_id, :model, :input_tokens, :output_tokens, :cached_tokens) from stored
    union all
    select charge_known(:user_id, :model, :input_tokens, :output_tokens, :cached_tokens, :charge_id)
    where not exists (select from stored)
      and not exists (select from conversation where id = :conversation_id and user_id = :user_id)
"""

# A title given meanwhile stays.
_TITLED = """
    with stored as (
        update conversation
        set title = case when titled then title else :title end, titled = true,
            follow_up_charge = :charge_id
        where id = :conversation_id and user_id = :user_id and follow_up_charge is distinct from :charge_id
        returning 1
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
        set summary = case when is_current then :new_summary else summary end,
            summary_seq = case when is_current then :fold_until else summary_seq end,
            window_seq = case when is_current then greatest(window_seq, :fold_until) else window_seq end,
            follow_up_charge = :charge_id
        from conv where c.id = conv.id and c.follow_up_charge is distinct from :charge_id
        returning 1
"""

# A model that had no answer to a question has none a moment later: some turns pass before the next try.
_POSTPONED = """
    with stored as (
        update conversation
        set follow_up_after = last_seq + :messages, follow_up_charge = :charge_id
        where id = :conversation_id and user_id = :user_id and follow_up_charge is distinct from :charge_id
        returning 1
"""

_STORE_TITLE = text(_TITLED + _CHARGED)
_STORE_SUMMARY = text(_FOLDED + _CHARGED)
_POSTPONE = text(_POSTPONED + _CHARGED)


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
    """Charge what was spent in vain, and let no follow-up be due for the next `messages`."""
    params = {"user_id": user_id, "conversation_id": conversation_id, "messages": messages, **asdict(spent)}
    database.rows(user_id, _POSTPONE, params)
