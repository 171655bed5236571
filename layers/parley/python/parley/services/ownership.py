"""What the user has, or the error that stands for it: 403 when another user has it, 404 when nobody does."""

import uuid
from typing import Any

from parley.database import Database
from parley.errors import Forbidden, NotFound, ProblemError
from parley.repositories import conversations, messages
from parley.repositories.conversations import ConversationState
from parley.repositories.messages import MessageState


def own_conversation(database: Database, user_id: str, conversation_id: uuid.UUID) -> ConversationState:
    """Raises Forbidden or NotFound."""
    state = conversations.get_conversation(database, user_id, conversation_id)
    if state is None:
        raise missing(database, user_id, conversation_id)
    return state


def change_conversation(
    database: Database, user_id: str, conversation_id: uuid.UUID, changes: dict[str, Any]
) -> ConversationState:
    """Set the given columns. Raises Forbidden or NotFound."""
    state = conversations.update_conversation(database, user_id, conversation_id, changes)
    if state is None:
        raise missing(database, user_id, conversation_id)
    return state


def own_message(
    database: Database, user_id: str, conversation_id: uuid.UUID, message_id: uuid.UUID
) -> MessageState:
    """A message of this conversation. Raises Forbidden or NotFound."""
    state = messages.get_message(database, user_id, message_id)
    if state is None or state.message.conversation_id != conversation_id:
        raise missing(database, user_id, conversation_id, message_id)
    return state


def missing(
    database: Database, user_id: str, conversation_id: uuid.UUID, message_id: uuid.UUID | None = None
) -> ProblemError:
    """Forbidden when the conversation or, if one is named, the message is another user's."""
    foreign = messages.is_another_users(database, user_id, conversation_id, message_id)
    return Forbidden() if foreign else NotFound()
