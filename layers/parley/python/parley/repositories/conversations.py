"""SQL of conversations. Another user's row is simply not there."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Select, and_, exists, func, select, text, tuple_, update
from sqlalchemy.orm import defer
from sqlmodel import col

from parley.database import Database
from parley.models import Conversation, Message

# A page's sort key: pinned, last activity, id. A page begins after the key of the row before it, so every
# page costs the same.
ConversationKey = tuple[bool, datetime, uuid.UUID]
BatchAction = Literal["archive", "unarchive", "delete"]
BatchOutcome = Literal["done", "not_found", "forbidden"]


@dataclass(frozen=True, slots=True)
class ConversationState:
    """`title_withheld`: the title is the beginning of a question that no model may read.
    `snippet`: an excerpt of the newest message that a search found, hits marked: see `search_words.snippet`.
    """

    conversation: Conversation
    running: bool
    title_withheld: bool
    snippet: str | None = None


RUNNING = (
    exists()
    .where(
        col(Message.conversation_id) == col(Conversation.id),
        col(Message.status) == "in_progress",
        col(Message.lease_expires_at) > func.clock_timestamp(),
    )
    .correlate(Conversation)
)
# Until a conversation is titled, its title is the beginning of its first message.
TITLE_WITHHELD = and_(
    col(Conversation.titled).is_(False),
    exists()
    .where(
        col(Message.conversation_id) == col(Conversation.id),
        col(Message.seq) == 1,
        col(Message.withheld),
    )
    .correlate(Conversation),
)


def get_conversation(
    database: Database, user_id: str, conversation_id: uuid.UUID
) -> ConversationState | None:
    statement = _of_user(user_id).where(col(Conversation.id) == conversation_id)
    rows = database.rows(user_id, statement)
    return ConversationState(*rows[0]) if rows else None


def list_conversations(
    database: Database,
    user_id: str,
    *,
    limit: int,
    after: ConversationKey | None,
    newest_first: bool = True,
    archived: bool = False,
) -> tuple[list[ConversationState], ConversationKey | None]:
    """A page, pinned conversations first and then by last activity, and the key of its last row, None when no
    page follows.
    """
    key = (col(Conversation.pinned), col(Conversation.updated_at), col(Conversation.id))
    statement = (
        _of_user(user_id)
        .where(col(Conversation.archived) == archived)
        .order_by(*(part.desc() if newest_first else part.asc() for part in key))
        .limit(limit + 1)
    )
    if after is not None:
        statement = statement.where(tuple_(*key) < after if newest_first else tuple_(*key) > after)
    states = [ConversationState(*row) for row in database.rows(user_id, statement)]
    page = states[:limit]
    last = page[-1].conversation if len(states) > limit else None
    return page, (last.pinned, last.updated_at, last.id) if last else None


def update_conversation(
    database: Database, user_id: str, conversation_id: uuid.UUID, changes: dict[str, Any]
) -> ConversationState | None:
    """Set the given columns; None when the user has no such conversation."""
    statement = (
        update(Conversation)
        .where(col(Conversation.id) == conversation_id, col(Conversation.user_id) == user_id)
        .values(**changes)
        .returning(Conversation, RUNNING, TITLE_WITHHELD)
        .options(defer(Conversation.search))  # type: ignore[arg-type]
    )
    rows = database.rows(user_id, statement)
    return ConversationState(*rows[0]) if rows else None


_DELETE = text("select delete_conversation(:user_id, :conversation_id)")


def delete_conversation(database: Database, user_id: str, conversation_id: uuid.UUID) -> bool:
    """Delete it with its messages; False when the user has no such conversation."""
    params = {"user_id": user_id, "conversation_id": conversation_id}
    return bool(database.rows(user_id, _DELETE, params)[0][0])


_BATCH = text("select id, outcome from batch_conversations(:user_id, cast(:ids as uuid[]), :action)")


def batch_conversations(
    database: Database, user_id: str, ids: Sequence[uuid.UUID], action: BatchAction
) -> list[tuple[uuid.UUID, BatchOutcome]]:
    """Archive, unarchive or delete conversations; what became of each, in the order of `ids`."""
    params = {"user_id": user_id, "ids": [str(each) for each in ids], "action": action}
    return [(id_, outcome) for id_, outcome in database.rows(user_id, _BATCH, params)]


def _of_user(user_id: str) -> Select[*tuple[Any, ...]]:
    entity = select(Conversation, RUNNING, TITLE_WITHHELD).options(defer(Conversation.search))  # type: ignore[arg-type]
    return entity.where(col(Conversation.user_id) == user_id)
