"""SQL of conversations. Another user's row is simply not there."""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Select, and_, exists, func, not_, or_, select, text, true, tuple_, update
from sqlmodel import col

from parley.database import Database
from parley.models import Conversation, Message

# A page's sort key: pinned, last activity, id. A page begins after the key of the row before it, so every
# page costs the same.
ConversationKey = tuple[bool, datetime, uuid.UUID]
BatchAction = Literal["archive", "unarchive", "delete"]
BatchOutcome = Literal["done", "not_found", "forbidden"]
# Mark a hit in a snippet: control characters, which text hardly ever holds.
HIT_START, HIT_END = "\x02", "\x03"
# Negates nothing. PostgreSQL remembers 32 negations while it looks for what they negate, and then fails.
_STRAY_HYPHEN = re.compile(r'-(?![\w"])')


@dataclass(frozen=True, slots=True)
class ConversationState:
    """`title_withheld`: the title is the beginning of a question that no model may read.
    `snippet`: an excerpt of the newest matching message, hits between HIT_START and HIT_END.
    """

    conversation: Conversation
    running: bool
    title_withheld: bool
    snippet: str | None = None


_RUNNING = (
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
    search: str | None = None,
) -> tuple[list[ConversationState], ConversationKey | None]:
    """A page, pinned conversations first and then by last activity, and the key of its last row, None when no
    page follows.

    With `search`, only those whose title or messages match, by last activity alone.
    """
    key = (col(Conversation.pinned), col(Conversation.updated_at), col(Conversation.id))[search is not None :]
    statement = (
        (_of_user(user_id) if search is None else _matching(user_id, search))
        .where(col(Conversation.archived) == archived)
        .order_by(*(part.desc() if newest_first else part.asc() for part in key))
        .limit(limit + 1)
    )
    if after is not None:
        start = after[search is not None :]
        statement = statement.where(tuple_(*key) < start if newest_first else tuple_(*key) > start)
    states = [ConversationState(*row) for row in database.rows(user_id, statement)]
    page = states[:limit]
    last = page[-1].conversation if len(states) > limit else None
    return page, (last.pinned, last.updated_at, last.id) if last else None


def _matching(user_id: str, search: str) -> Select[*tuple[Any, ...]]:
    """The user's conversations that match, each with its newest matching message's snippet.

    The user's messages are found by their index and then matched one by one: row-level security keeps the
    planner from using an index on the words, since the operator `@@` is not leakproof.
    """
    query = func.websearch_to_tsquery("simple", _STRAY_HYPHEN.sub(" ", search))
    marks = f"StartSel={HIT_START}, StopSel={HIT_END}, MaxWords=30, MinWords=10"
    hit = (
        select(
            func.ts_headline("simple", func.left(col(Message.content), 100_000), query, marks).label("text")
        )
        .where(
            col(Message.user_id) == user_id,
            col(Message.conversation_id) == col(Conversation.id),
            col(Message.superseded).is_(False),
            # The agent searches as well.
            col(Message.withheld).is_(False),
            col(Message.search).op("@@")(query),
        )
        .order_by(col(Message.seq).desc())
        .limit(1)
        .correlate(Conversation)
        .lateral("hit")
    )
    titled = and_(func.to_tsvector("simple", col(Conversation.title)).op("@@")(query), not_(TITLE_WITHHELD))
    return (
        select(Conversation, _RUNNING, TITLE_WITHHELD, hit.c.text)
        .outerjoin(hit, true())
        .where(col(Conversation.user_id) == user_id, or_(titled, hit.c.text.is_not(None)))
    )


def update_conversation(
    database: Database, user_id: str, conversation_id: uuid.UUID, changes: dict[str, Any]
) -> ConversationState | None:
    """Set the given columns; None when the user has no such conversation."""
    statement = (
        update(Conversation)
        .where(col(Conversation.id) == conversation_id, col(Conversation.user_id) == user_id)
        .values(**changes)
        .returning(Conversation, _RUNNING, TITLE_WITHHELD)
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
    return select(Conversation, _RUNNING, TITLE_WITHHELD).where(col(Conversation.user_id) == user_id)
