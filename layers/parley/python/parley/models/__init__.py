"""The tables. Importing this package fills `SQLModel.metadata`.

The migrations alone say what else the database has: defaults, constraints, indexes.
"""

from parley.models.conversation import Conversation
from parley.models.deleted_turn import DeletedTurn
from parley.models.erased_usage import ErasedUsage
from parley.models.follow_up import FollowUp
from parley.models.message import Message
from parley.models.sharing import SharedConversation, SharedMessage
from parley.models.usage import Usage
from parley.models.user_settings import UserSettings

__all__ = [
    "Conversation",
    "DeletedTurn",
    "ErasedUsage",
    "FollowUp",
    "Message",
    "SharedConversation",
    "SharedMessage",
    "Usage",
    "UserSettings",
]
