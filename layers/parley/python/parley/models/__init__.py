"""The tables. Importing this package fills `SQLModel.metadata`."""

from parley.models.conversation import Conversation
from parley.models.message import Message
from parley.models.usage import Usage

__all__ = ["Conversation", "Message", "Usage"]
