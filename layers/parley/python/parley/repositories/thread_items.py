"""SQL of what ChatKit shows of a conversation: its messages and the items between them, in one order."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    Integer,
    Select,
    String,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    null,
    select,
    text,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.orm import aliased, defer
from sqlmodel import col

from parley.database import Database
from parley.models import Message, ThreadItem
from parley.repositories.messages import MAX_PAGE_BYTES, STATUS

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ItemKey:
    """An item's id, and the message that it is (`whole`) or is a part of, `{message_id}:{part}`, if any."""

    id: str
    message_id: uuid.UUID | None

    @property
    def whole(self) -> uuid.UUID | None:
        return self.message_id if str(self.message_id) == self.id else None


@dataclass(frozen=True, slots=True)
class Entry:
    """Either a message, with its status as of now, or an item that is none.

    `earlier`: of an answer that failed without a word, what the version before it said.
    `is_start`: of a list, that it is the one from which the list goes on.
    """

    message: Message | None
    status: str | None
    item: JSON | None
    earlier: str | None = None
    is_start: bool = False


@dataclass(frozen=True, slots=True)
class Entries:
    """`more`: there may be more than these."""

    data: Sequence[Entry]
    more: bool


@dataclass(frozen=True, slots=True)
class SavedMessage:
    """A message as another ChatKit server stores it."""

    role: Literal["user", "assistant"]
    content: str
    tokens: int


def list_entries(
    database: Database,
    user_id: str,
    conversation_id: uuid.UUID,
    *,
    after: ItemKey | None,
    limit: int,
    newest_first: bool,
) -> Entries | None:
    """In order, from the entry that `after` belongs to on, that one included; None when there is none.

    A page holds one entry beside that one at least, whatever its size.
    """

    def ordered(seq: Any) -> Any:
        return seq.desc() if newest_first else seq.asc()

    start = _seq(user_id, conversation_id, after) if after else cast(null(), Integer)

    def part(table: type[Message | ThreadItem], message_id: Any, item_id: Any, size: Any) -> Any:
        seq = col(table.seq)
        rows = (
            select(message_id.label("message_id"), item_id.label("item_id"), seq, size.label("size"))
            .where(*_of_conversation(table, user_id, conversation_id))
            .order_by(ordered(seq))
            .limit(limit)
        )
        if after:
            rows = rows.where(seq <= start if newest_first else seq >= start)
        return select(rows.subquery())

    made = func.octet_length(col(Message.content)) + func.coalesce(_bytes(Message.run_items), 0)
    message_size = func.coalesce(_bytes(Message.item), made)
    both = union_all(
        part(Message, col(Message.id), cast(null(), String), message_size),
        part(ThreadItem, cast(null(), UUID), col(ThreadItem.id), _bytes(ThreadItem.item)),
    ).subquery()
    size = case((both.c.seq == start, 0), else_=both.c.size)
    so_far = func.sum(size).over(order_by=ordered(both.c.seq))
    page = (
        select(both, (so_far - size < MAX_PAGE_BYTES).label("fits"))
        .order_by(ordered(both.c.seq))
        .limit(limit)
        .subquery()
    )
    started = select(start.label("seq")).subquery()
    statement = (
        _ENTRY.add_columns(page.c.seq == started.c.seq, started.c.seq, page.c.fits)
        .select_from(started)
        .outerjoin(page, true())
        .outerjoin(Message, col(Message.id) == page.c.message_id)
        .outerjoin(
            ThreadItem,
            (col(ThreadItem.conversation_id) == conversation_id) & (col(ThreadItem.id) == page.c.item_id),
        )
        .order_by(ordered(page.c.seq))
    )
    rows = database.rows(user_id, statement)
    if after and rows[0].seq is None:
        return None
    there = [row for row in rows if row.fits is not None]
    data = [Entry(*row[:5]) for row in there if row.fits]
    return Entries(data, more=len(data) < len(there) or len(there) == limit)


def get_entry(database: Database, user_id: str, conversation_id: uuid.UUID, key: ItemKey) -> Entry | None:
    """The item of that id, or else the message that it is a part of."""
    message = _of_conversation(Message, user_id, conversation_id)
    item = _of_conversation(ThreadItem, user_id, conversation_id)
    statement = (
        _ENTRY.select_from(select(text("1")).subquery())
        .outerjoin(Message, and_(*message, col(Message.id) == key.message_id))
        .outerjoin(ThreadItem, and_(*item, col(ThreadItem.id) == key.id))
    )
    entry = Entry(*database.rows(user_id, statement)[0])
    return entry if entry.message or entry.item else None


# In all three the conversation's row is locked first, as everywhere. What is in the way of a message or an
# item with the same id is the same item, of another type before: it is replaced in its place.
# A message of Parley's own turns has no `item`, and is left as it is.
_SAVE_MESSAGE = text("""
    with conv as (
        select id, last_seq from conversation where id = :conversation_id and user_id = :user_id for update
    ), replaced as (
        delete from thread_item t using conv
        where t.conversation_id = conv.id and t.id = :item_id and t.user_id = :user_id
        returning t.seq
    ), stored as (
        insert into message
            (id, conversation_id, user_id, seq, role, status, content, item, tokens, reply_to, version_of,
             created_at, completed_at)
        select :message_id, conv.id, :user_id, coalesce(replaced.seq, conv.last_seq + 1), :role, 'completed',
            :content, :item, :tokens,
            case when :role = 'assistant' then (
                select id from message
                where conversation_id = conv.id and role = 'user' and not superseded
                order by seq desc limit 1
            ) end,
            :message_id, :created_at, clock_timestamp()
        from conv left join replaced on true
        on conflict (id) do update
        set content = excluded.content, item = excluded.item, tokens = excluded.tokens
        where message.conversation_id = :conversation_id and message.user_id = :user_id
          and message.item is not null
        returning seq
    ), counted as (
        update conversation c
        set last_seq = greatest(c.last_seq, stored.seq), updated_at = clock_timestamp(),
            message_count = c.message_count
                + (stored.seq > c.last_seq or exists (select from replaced))::int
        from stored where c.id = :conversation_id and c.user_id = :user_id
    )
    select 1 from conv
    where exists (select from stored)
       or exists (select from message
                  where id = :message_id and conversation_id = conv.id and user_id = :user_id)
""").bindparams(bindparam("item", type_=JSONB(none_as_null=True)))

_SAVE_ITEM = text("""
    with conv as (
        select id, last_seq from conversation where id = :conversation_id and user_id = :user_id for update
    ), replaced as (
        delete from message m using conv
        where m.id = :whole and m.conversation_id = conv.id and m.user_id = :user_id and m.item is not null
        returning m.seq, m.superseded
    ), stored as (
        insert into thread_item (conversation_id, id, user_id, seq, item, created_at)
        select conv.id, :item_id, :user_id, coalesce(replaced.seq, conv.last_seq + 1), :item, :created_at
        from conv left join replaced on true
        where not exists (select from message m
                          where m.id = :message_id and m.conversation_id = conv.id
                            and m.user_id = :user_id and m.item is null)
        on conflict (conversation_id, id) do update set item = excluded.item
        returning seq
    ), counted as (
        update conversation c
        set last_seq = greatest(c.last_seq, stored.seq), updated_at = clock_timestamp(),
            message_count = c.message_count - (select count(*) from replaced where not superseded)
        from stored where c.id = :conversation_id and c.user_id = :user_id
    )
    select 1 from conv
""").bindparams(bindparam("item", type_=JSONB(none_as_null=True)))

# A part of a turn that still goes on cannot be taken out of it. What is gone may have been folded into the
# summary, which is then made anew.
_DELETE = text("""
    with conv as (
        select id from conversation where id = :conversation_id and user_id = :user_id for update
    ), item as (
        delete from thread_item t using conv
        where t.conversation_id = conv.id and t.id = :item_id and t.user_id = :user_id
    ), stored as (
        delete from message m using conv
        where m.id = :whole and m.conversation_id = conv.id and m.user_id = :user_id and m.item is not null
        returning m.seq, m.superseded
    ), made as (
        update message m set superseded = true from conv
        where m.id = :message_id and m.conversation_id = conv.id and m.user_id = :user_id
          and m.item is null and not m.superseded
          and (:item_id = m.id::text or m.status not in ('in_progress', 'waiting_approval'))
        returning m.seq
    ), gone as (
        select seq from stored where not superseded union all select seq from made
    ), counted as (
        update conversation c
        set message_count = c.message_count - 1,
            summary = case when gone.seq < c.summary_seq then null else c.summary end,
            summary_seq = case when gone.seq < c.summary_seq then 0 else c.summary_seq end,
            window_seq = case when gone.seq < c.summary_seq then 0 else c.window_seq end
        from gone where c.id = :conversation_id and c.user_id = :user_id
    )
    select 1 from conv
""")


def save_message(
    database: Database,
    user_id: str,
    conversation_id: uuid.UUID,
    message_id: uuid.UUID,
    message: SavedMessage,
    item: JSON,
    created_at: datetime,
) -> bool:
    """Insert or update it; False when the user has no such conversation, or the id is taken elsewhere."""
    params = {
        **asdict(message),
        "user_id": user_id,
        "conversation_id": conversation_id,
        "message_id": message_id,
        "item_id": str(message_id),
        "item": item,
        "created_at": created_at,
    }
    return bool(database.rows(user_id, _SAVE_MESSAGE, params))


def save_item(
    database: Database,
    user_id: str,
    conversation_id: uuid.UUID,
    key: ItemKey,
    item: JSON,
    created_at: datetime,
) -> bool:
    """Insert or update it; False when the user has no such conversation."""
    params = _keys(user_id, conversation_id, key) | {"item": item, "created_at": created_at}
    return bool(database.rows(user_id, _SAVE_ITEM, params))


def delete_item(database: Database, user_id: str, conversation_id: uuid.UUID, key: ItemKey) -> bool:
    """Delete it if it is there; False when the user has no such conversation."""
    return bool(database.rows(user_id, _DELETE, _keys(user_id, conversation_id, key)))


def _keys(user_id: str, conversation_id: uuid.UUID, key: ItemKey) -> JSON:
    return {
        "user_id": user_id,
        "conversation_id": conversation_id,
        "item_id": key.id,
        "message_id": key.message_id,
        "whole": key.whole,
    }


_VERSION = aliased(Message)
_EARLIER = case(
    (
        (col(Message.version) > 1) & (col(Message.content) == "") & STATUS.in_(("failed", "interrupted")),
        select(col(_VERSION.content))
        .where(
            col(_VERSION.version_of) == col(Message.version_of),
            col(_VERSION.user_id) == col(Message.user_id),
            col(_VERSION.content) != "",
        )
        .order_by(col(_VERSION.version).desc())
        .limit(1)
        .correlate(Message)
        .scalar_subquery(),
    ),
    else_=cast(null(), String),
)
_ENTRY: Select[Any] = select(Message, STATUS, col(ThreadItem.item), _EARLIER).options(
    defer(Message.search),  # type: ignore[arg-type]
    defer(Message.run_state),  # type: ignore[arg-type]
)


def _of_conversation(
    table: type[Message | ThreadItem], user_id: str, conversation_id: uuid.UUID
) -> tuple[Any, ...]:
    return (
        col(table.conversation_id) == conversation_id,
        col(table.user_id) == user_id,
        col(table.superseded).is_(False),
    )


def _seq(user_id: str, conversation_id: uuid.UUID, key: ItemKey) -> Any:
    """Where an item stands or, superseded, stood."""

    def of(table: type[Message | ThreadItem], id_: object) -> Any:
        conversation, user, _ = _of_conversation(table, user_id, conversation_id)
        return select(col(table.seq)).where(conversation, user, col(table.id) == id_).scalar_subquery()

    # As a subquery: row-level security lets the index be searched for a value, not for this expression.
    return select(func.coalesce(of(ThreadItem, key.id), of(Message, key.message_id))).scalar_subquery()


def _bytes(column: Any) -> Any:
    return func.octet_length(cast(column, Text))
