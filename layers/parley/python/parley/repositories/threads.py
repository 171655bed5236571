"""SQL of conversations as ChatKit's threads."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from parley.database import Database


@dataclass(frozen=True, slots=True)
class ThreadRow:
    """`thread` is None for a conversation that no ChatKit server has saved."""

    id: uuid.UUID
    title: str
    created_at: datetime
    thread: dict[str, Any] | None


_SAVE = text("""
    insert into conversation (id, user_id, title, titled, thread, created_at)
    values (:id, :user_id, :title, :title <> '', :thread, :created_at)
    on conflict (id) do update
    set title = excluded.title, thread = excluded.thread, created_at = excluded.created_at,
        titled = conversation.titled or excluded.titled and excluded.title <> conversation.title
    where conversation.user_id = :user_id
    returning id
""").bindparams(bindparam("thread", type_=JSONB(none_as_null=True)))

_GET = text("""
    select id, title, created_at, thread from conversation where id = :id and user_id = :user_id
""")


def save_thread(database: Database, user_id: str, row: ThreadRow) -> bool:
    """Insert or update it; False when the id is another user's."""
    return bool(database.rows(user_id, _SAVE, {**asdict(row), "user_id": user_id}))


def get_thread(database: Database, user_id: str, conversation_id: uuid.UUID) -> ThreadRow | None:
    rows = database.rows(user_id, _GET, {"id": conversation_id, "user_id": user_id})
    return ThreadRow(*rows[0]) if rows else None


def list_threads(
    database: Database, user_id: str, *, limit: int, after: uuid.UUID | None, newest_first: bool
) -> Sequence[ThreadRow] | None:
    """By their last activity, those that are not archived; None when there is no conversation `after`."""
    params = {"user_id": user_id, "limit": limit} | ({"after": after} if after else {})
    rows = database.rows(user_id, _listing(after=after is not None, newest_first=newest_first), params)
    if after and not rows:
        return None
    return [ThreadRow(*row) for row in rows if row[0] is not None]


def _listing(*, after: bool, newest_first: bool) -> TextClause:
    """One row at least, when the conversation is there after which the list starts."""
    start = "select updated_at, id from conversation where id = :after and user_id = :user_id"
    beyond = f"and (c.updated_at, c.id) {'<' if newest_first else '>'} (start.updated_at, start.id)"
    way = "desc" if newest_first else "asc"
    return text(f"""
        select listed.* from ({start if after else "select"}) as start left join lateral (
            select c.id, c.title, c.created_at, c.thread from conversation c
            where c.user_id = :user_id and not c.archived {beyond if after else ""}
            order by c.updated_at {way}, c.id {way} limit :limit
        ) as listed on true
    """)  # noqa: S608 (of constants alone)
