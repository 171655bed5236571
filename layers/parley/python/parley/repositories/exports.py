"""SQL of exports: everything that a user has, or one conversation, in parts."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, literal, select, true
from sqlalchemy.orm import defer
from sqlmodel import col

from parley.database import Database
from parley.models import Conversation, Message, Usage
from parley.repositories.conversations import TITLE_WITHHELD
from parley.repositories.messages import MAX_PAGE_BYTES, SIZE, STATUS

# A conversation's id, and the `seq` of the last of its messages that was exported.
ExportKey = tuple[uuid.UUID, int]
START: ExportKey = (uuid.UUID(int=0), 0)

_MAX_ROWS = 1_000
_UNREAD: tuple[Any, ...] = (
    Conversation.summary,
    Conversation.search,
    Message.search,
    Message.run_state,
)
# Of a message's record, beside its text and tool calls.
_ROW_BYTES = 1_000


@dataclass(frozen=True, slots=True)
class ExportRow:
    """A message, with its current status, in its conversation; None of a conversation that has none."""

    conversation: Conversation
    title_withheld: bool
    message: Message | None
    status: str | None


def list_usage(database: Database, user_id: str) -> Sequence[Usage]:
    """Everything that the user ever spent, a row a day and model."""
    statement = select(Usage).where(col(Usage.user_id) == user_id).order_by(col(Usage.day), col(Usage.model))
    return [row[0] for row in database.rows(user_id, statement)]


def read_part(
    database: Database,
    user_id: str,
    after: ExportKey,
    *,
    conversation_id: uuid.UUID | None = None,
    superseded: bool = True,
) -> tuple[list[ExportRow], ExportKey | None]:
    """The conversations by their ids, each with its messages by `seq`; and the last key, None at the end.

    A part holds one row at least, and otherwise ends at MAX_PAGE_BYTES.
    """
    window = _sized(_picked(user_id, after, conversation_id, superseded)).subquery()
    counted = select(
        window.c.conversation_id,
        window.c.message_id,
        (window.c.so_far - window.c.size < MAX_PAGE_BYTES).label("fits"),
        func.count().over().label("found"),
    ).subquery()
    statement = (
        select(Conversation, TITLE_WITHHELD, Message, STATUS, counted.c.found)
        .options(*map(defer, _UNREAD))
        .select_from(counted)
        .join(Conversation, col(Conversation.id) == counted.c.conversation_id)
        .outerjoin(Message, col(Message.id) == counted.c.message_id)
        .where(counted.c.fits, col(Conversation.user_id) == user_id)
        .order_by(col(Conversation.id), col(Message.seq))
    )
    found = database.rows(user_id, statement)
    rows = [ExportRow(*row[:4]) for row in found[:_MAX_ROWS]]
    if not rows or len(rows) == found[0][4]:
        return rows, None
    last = rows[-1]
    return rows, (last.conversation.id, last.message.seq if last.message else 0)


def _picked(
    user_id: str, after: ExportKey, conversation_id: uuid.UUID | None, superseded: bool
) -> Select[*tuple[Any, ...]]:
    """The ids of the next _MAX_ROWS rows, and of one more."""
    is_begun: ColumnElement[bool] = col(Conversation.id) == after[0]
    conversations: Select[*tuple[Any, ...]] = (
        select(col(Conversation.id).label("id"), is_begun.label("is_begun"))
        .where(col(Conversation.user_id) == user_id, col(Conversation.id) >= after[0])
        .order_by(col(Conversation.id))
        .limit(_MAX_ROWS + 1)
    )
    if conversation_id is not None:
        conversations = conversations.where(col(Conversation.id) == conversation_id)
    conversation = conversations.subquery()
    messages: Select[*tuple[Any, ...]] = (
        select(col(Message.id).label("id"), col(Message.seq).label("seq"))
        .where(
            col(Message.conversation_id) == conversation.c.id,
            col(Message.user_id) == user_id,
            col(Message.seq) > case((conversation.c.is_begun, after[1]), else_=0),
        )
        .order_by(col(Message.seq))
        .limit(_MAX_ROWS + 1)
    )
    if not superseded:
        messages = messages.where(col(Message.superseded).is_(False))
    message = messages.lateral()
    return (
        select(conversation.c.id.label("conversation_id"), message.c.id.label("message_id"), message.c.seq)
        .outerjoin(message, true())
        .where(message.c.id.is_not(None) | ~conversation.c.is_begun)
        .order_by(conversation.c.id, message.c.seq)
        .limit(_MAX_ROWS + 1)
    )


def _sized(picked: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """The rows with their sizes, each and added up."""
    row = picked.subquery()
    size = func.coalesce(SIZE, 0) + literal(_ROW_BYTES)
    order = (row.c.conversation_id, row.c.seq)
    return select(
        row.c.conversation_id,
        row.c.message_id,
        size.label("size"),
        func.sum(size).over(order_by=order).label("so_far"),
    ).outerjoin(Message, col(Message.id) == row.c.message_id)
