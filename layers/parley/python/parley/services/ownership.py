"""403 or 404: which error stands for a conversation or a message that the user does not have."""

import uuid

from parley.database import Database
from parley.errors import Forbidden, NotFound, ProblemError
from parley.repositories import conversations, messages


def missing_conversation(database: Database, user_id: str, conversation_id: uuid.UUID) -> ProblemError:
    """Forbidden for another user's conversation, NotFound when nobody has it."""
    taken = conversations.conversation_exists(database, user_id, conversation_id)
    return Forbidden() if taken else NotFound()


def missing_message(
    database: Database, user_id: str, conversation_id: uuid.UUID, message_id: uuid.UUID
) -> ProblemError:
    """Forbidden when the message or its conversation is another user's, else NotFound."""
    foreign = messages.is_another_users(database, user_id, conversation_id, message_id)
    return Forbidden() if foreign else NotFound()
