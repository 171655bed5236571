"""SQL of messages."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Text, case, cast, exists, func, or_, select, update
from sqlalchemy.orm import aliased, defer
from sqlmodel import col

from parley.database import Database
from parley.models import Conversation, Message

# Bytes of JSON in one page, of which the last message may have as many again. The platform refuses replies
# over 6 MB.
MAX_PAGE_BYTES = 2_400_000

# A turn whose lease has expired counts as interrupted, even before its row says so.
STATUS = case(
    (
        (col(Message.status) == "in_progress") & (col(Message.lease_expires_at) <= func.clock_timestamp()),
        "interrupted",
    ),
    else_=col(Message.status),
)
_VERSION = aliased(Message)
_VERSION_COUNT = (
    select(func.count())
    .where(col(_VERSION.version_of) == col(Message.version_of))
    .correlate(Message)
    .scalar_subquery()
)


# As it is sent: stored, it is compressed, and a control character takes one byte and not six.
SIZE = func.octet_length(cast(func.to_json(col(Message.content)), Text)) + func.coalesce(
    func.octet_length(cast(col(Message.run_items), Text)), 0
)


@dataclass(frozen=True, slots=True)
class MessageState:
    """A message with its current status, which may differ from the column's."""

    message: Message
    status: str
    version_count: int


def get_message(database: Database, user_id: str, message_id: uuid.UUID) -> MessageState | None:
    rows = database.rows(user_id, _of_user(user_id).where(col(Message.id) == message_id))
    return MessageState(*rows[0][:3]) if rows else None


def get_answer(database: Database, user_id: str, question_id: uuid.UUID) -> Message | None:
    """The current answer to a user's message."""
    statement = _of_user(user_id).where(
        col(Message.reply_to) == question_id, col(Message.superseded).is_(False)
    )
    rows = database.rows(user_id, statement)
    return rows[0][0] if rows else None


def list_messages(
    database: Database,
    user_id: str,
    conversation_id: uuid.UUID,
    *,
    limit: int,
    after: int | None = None,
    newest_first: bool = True,
) -> tuple[list[MessageState], int | None]:
    """A page in the given order, and the `seq` of its last message, None when no page follows.

    It begins at the beginning, or after the message whose `seq` is `after`. It holds one message at least,
    and otherwise ends at MAX_PAGE_BYTES.
    """
    seq = col(Message.seq)
    order = seq.desc() if newest_first else seq.asc()
    where = [col(Message.conversation_id) == conversation_id, col(Message.superseded).is_(False)]
    if after is not None:
        where.append(seq < after if newest_first else seq > after)
    page, has_more = _page(database, user_id, where, order, limit)
    return page, page[-1].message.seq if has_more else None


def list_versions(
    database: Database, user_id: str, message_id: uuid.UUID, *, limit: int, before: int | None = None
) -> tuple[list[MessageState], int | None]:
    """A page of versions, the newest first, and the number of its last, None when no page follows.

    `before`: the number of the version that it goes on from. It ends as a page of `list_messages` does.
    Empty when the user has no such message.
    """
    version = col(Message.version)
    group = select(col(_VERSION.version_of)).where(col(_VERSION.id) == message_id).scalar_subquery()
    where = [col(Message.version_of) == group]
    if before is not None:
        where.append(version < before)
    page, has_more = _page(database, user_id, where, version.desc(), limit)
    return page, page[-1].message.version if has_more else None


def _page(
    database: Database, user_id: str, where: list[Any], order: Any, limit: int
) -> tuple[list[MessageState], bool]:
    """The user's first messages of which `where` is true, and whether there are more."""
    window = (
        select(
            col(Message.id).label("id"),
            func.sum(SIZE).over(order_by=order).label("so_far"),
            SIZE.label("size"),
        )
        .where(col(Message.user_id) == user_id, *where)
        .order_by(order)
        .limit(limit + 1)
        .subquery()
    )
    # What does not fit is not sent: over HTTP a reply of Neon's has 10 MiB at most.
    counted = select(
        window.c.id,
        (window.c.so_far - window.c.size < MAX_PAGE_BYTES).label("fits"),
        func.count().over().label("found"),
    ).subquery()
    statement = (
        _of_user(user_id)
        .add_columns(counted.c.found)
        .join(counted, counted.c.id == col(Message.id))
        .where(counted.c.fits)
        .order_by(order)
    )
    rows = database.rows(user_id, statement)
    page = [MessageState(*row[:3]) for row in rows[:limit]]
    return page, bool(page) and len(page) < rows[0][3]


def set_feedback(
    database: Database,
    user_id: str,
    conversation_id: uuid.UUID,
    message_ids: Collection[uuid.UUID],
    feedback: dict[str, Any] | None,
) -> set[uuid.UUID]:
    """Set or, with None, remove feedback. Returns the ids that are answers in the user's conversation."""
    statement = (
        update(Message)
        .where(
            col(Message.id).in_(message_ids),
            col(Message.conversation_id) == conversation_id,
            col(Message.user_id) == user_id,
            col(Message.role) == "assistant",
        )
        .values(feedback=feedback)
        .returning(col(Message.id))
    )
    return {row[0] for row in database.rows(user_id, statement)}


def is_another_users(
    database: Database, user_id: str, conversation_id: uuid.UUID, message_id: uuid.UUID | None
) -> bool:
    """True when the conversation or, if one is named, the message exists and is not the user's."""
    mine = exists().where(col(Conversation.id) == conversation_id, col(Conversation.user_id) == user_id)
    mine_too = exists().where(col(Message.id) == message_id, col(Message.user_id) == user_id)
    others = or_(
        func.conversation_exists(conversation_id) & ~mine, func.message_exists(message_id) & ~mine_too
    )
    return bool(database.rows(user_id, select(others))[0][0])


def _of_user(user_id: str) -> Select[*tuple[Any, ...]]:
    entity = select(Message, STATUS, _VERSION_COUNT).options(defer(Message.search), defer(Message.run_state))  # type: ignore[arg-type]
    return entity.where(col(Message.user_id) == user_id)
