"""SQL of the search in a user's conversations."""

from typing import Any

from sqlalchemy import bindparam, column, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import defer
from sqlmodel import col

from parley.database import Database
from parley.models import Conversation
from parley.repositories.conversations import (
    RUNNING,
    TITLE_WITHHELD,
    ConversationKey,
    ConversationState,
)
from parley.search_words import SearchWords, parse, snippet


def search_conversations(
    database: Database,
    user_id: str,
    search: str,
    *,
    limit: int,
    after: ConversationKey | None,
    archived: bool,
) -> tuple[list[ConversationState], ConversationKey | None]:
    """Those whose title or messages match: a page by last activity, and the key of its last row, None when no
    page follows. Their snippets are from the newest message that matches.
    """
    # By last activity alone: what is pinned need not be what is looked for.
    _, before, before_id = after or (None, None, None)
    words = parse(search)
    found = func.search_conversations(
        bindparam(None, as_json(words), JSONB), archived, before, before_id, limit + 1
    ).table_valued(column("conversation_id"), column("excerpt"), name="found")
    key = (col(Conversation.updated_at).desc(), col(Conversation.id).desc())
    statement = (
        select(Conversation, RUNNING, TITLE_WITHHELD, found.c.excerpt)
        .options(defer(Conversation.search))  # type: ignore[arg-type]
        .join_from(found, Conversation, col(Conversation.id) == found.c.conversation_id)
        .where(col(Conversation.user_id) == user_id)
        .order_by(*key)
    )
    states = [
        ConversationState(
            conversation, running, title_withheld, None if excerpt is None else snippet(excerpt, words)
        )
        for conversation, running, title_withheld, excerpt in database.rows(user_id, statement)
    ]
    page = states[:limit]
    last = page[-1].conversation if len(states) > limit else None
    return page, (last.pinned, last.updated_at, last.id) if last else None


def as_json(words: SearchWords) -> dict[str, Any]:
    """As search_conversations in search.sql takes it."""
    return {"wanted": [[each.text, each.whole] for each in words.wanted], "unwanted": words.unwanted}
