"""SQL of shared conversations: sql/share_conversation.sql, and the function read_shared of the migrations."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import delete, func, or_, select, text, tuple_
from sqlmodel import col

from parley.database import Database
from parley.models import SharedConversation
from parley.repositories.messages import MAX_PAGE_BYTES

# Of one user, each a copy of a conversation.
MAX_SHARED = 100
# Stands for a title that is withheld.
UNTITLED = "Conversation"

# A page's sort key.
SharedKey = tuple[datetime, uuid.UUID]

_SHARE = text("""
    select share_conversation(
        :user_id, :conversation_id, :id, :token_hash, :title, :tool_outputs, :created_at, :expires_at,
        :at_most)
""")
_READ = text("select * from read_shared(:token_hash, :after, :limit, :max_bytes)")


@dataclass(frozen=True, slots=True)
class SharedRow:
    """A message of a snapshot. All but the first three are None where it has none, or no more."""

    title: str
    shared_at: datetime
    expires_at: datetime | None
    place: int | None
    role: str | None
    status: str | None
    content: str | None
    run_items: list[dict[str, Any]] | None
    created_at: datetime | None
    more: bool | None


def share_conversation(
    database: Database, shared: SharedConversation
) -> Literal["shared", "too_many"] | None:
    """Store the snapshot. Its title is the conversation's, or `shared.title` where that is withheld.

    None: the user has no such conversation.
    """
    params = shared.model_dump() | {"at_most": MAX_SHARED}
    outcome: Literal["shared", "too_many"] | None = database.rows(shared.user_id, _SHARE, params)[0][0]
    return outcome


def list_shared(
    database: Database, user_id: str, *, limit: int, after: SharedKey | None
) -> tuple[list[SharedConversation], SharedKey | None]:
    """A page, newest first, and the key of its last row, None when no page follows. Not what has expired."""
    key = (col(SharedConversation.created_at), col(SharedConversation.id))
    expires_at = col(SharedConversation.expires_at)
    statement = (
        select(SharedConversation)
        .where(
            col(SharedConversation.user_id) == user_id,
            or_(expires_at.is_(None), expires_at > func.now()),
        )
        .order_by(*(part.desc() for part in key))
        .limit(limit + 1)
    )
    if after is not None:
        statement = statement.where(tuple_(*key) < after)
    found = [row[0] for row in database.rows(user_id, statement)]
    page = found[:limit]
    return page, (page[-1].created_at, page[-1].id) if len(found) > limit else None


def delete_shared(database: Database, user_id: str, share_id: uuid.UUID) -> bool:
    """Revoke the link; False when the user has none of this id."""
    statement = (
        delete(SharedConversation)
        .where(col(SharedConversation.id) == share_id, col(SharedConversation.user_id) == user_id)
        .returning(col(SharedConversation.id))
    )
    return bool(database.rows(user_id, statement))


def read_shared(database: Database, token_hash: str, *, limit: int, after: int) -> list[SharedRow]:
    """The messages after the place `after`, for anybody. Empty when nothing is shared under this token."""
    params = {"token_hash": token_hash, "after": after, "limit": limit, "max_bytes": MAX_PAGE_BYTES}
    return [SharedRow(*row) for row in database.rows(None, _READ, params)]
