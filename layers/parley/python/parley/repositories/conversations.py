"""SQL of conversations. Another user's row is simply not there; `exists` tells 403 from 404."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, exists, func, select, tuple_, update
from sqlmodel import col

from parley.database import Database
from parley.errors import Forbidden, NotFound, ProblemError
from parley.models import Conversation, Message
from parley.repositories.page import Page, decode_cursor, encode_cursor


@dataclass(frozen=True, slots=True)
class ConversationState:
    conversation: Conversation
    running: bool


_RUNNING = (
    exists()
    .where(
        col(Message.conversation_id) == col(Conversation.id),
        col(Message.status) == "in_progress",
        col(Message.lease_expires_at) > func.clock_timestamp(),
    )
    .correlate(Conversation)
)


def get_conversation(
    database: Database, user_id: str, conversation_id: uuid.UUID
) -> ConversationState | None:
    statement = _of_user(user_id).where(col(Conversation.id) == conversation_id)
    rows = database.rows(user_id, statement)
    return ConversationState(*rows[0]) if rows else None


def list_conversations(
    database: Database, user_id: str, *, limit: int, cursor: str | None, archived: bool
) -> Page[ConversationState]:
    """A page, newest activity first."""
    statement = (
        _of_user(user_id)
        .where(col(Conversation.archived) == archived)
        .order_by(col(Conversation.updated_at).desc(), col(Conversation.id).desc())
        .limit(limit + 1)
    )
    if cursor is not None:
        last = decode_cursor("cursor", cursor, datetime.fromisoformat, uuid.UUID)
        statement = statement.where(tuple_(col(Conversation.updated_at), col(Conversation.id)) < last)
    states = [ConversationState(*row) for row in database.rows(user_id, statement)]
    page = states[:limit]
    more = len(states) > limit
    key = page[-1].conversation if more else None
    return Page(page, encode_cursor(key.updated_at.isoformat(), key.id) if key else None)


def update_conversation(
    database: Database, user_id: str, conversation_id: uuid.UUID, changes: dict[str, Any]
) -> bool:
    """Set the given columns; False when the user has no such conversation."""
    statement = (
        update(Conversation)
        .where(col(Conversation.id) == conversation_id, col(Conversation.user_id) == user_id)
        .values(**changes)
        .returning(col(Conversation.id))
    )
    return bool(database.rows(user_id, statement))


def delete_conversation(database: Database, user_id: str, conversation_id: uuid.UUID) -> bool:
    """Delete it with its messages; False when the user has no such conversation."""
    statement = (
        delete(Conversation)
        .where(col(Conversation.id) == conversation_id, col(Conversation.user_id) == user_id)
        .returning(col(Conversation.id))
    )
    return bool(database.rows(user_id, statement))


def missing_conversation(database: Database, user_id: str, conversation_id: uuid.UUID) -> ProblemError:
    """The error for a conversation that the user does not have: it is another's, or nobody's."""
    taken = database.rows(user_id, select(func.conversation_exists(conversation_id)))[0][0]
    return Forbidden() if taken else NotFound()


def _of_user(user_id: str) -> Select[*tuple[Any, ...]]:
    return select(Conversation, _RUNNING).where(col(Conversation.user_id) == user_id)
