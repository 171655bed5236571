"""The table of conversations."""

import uuid
from datetime import datetime

from sqlalchemy import Column, DateTime
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlmodel import Field, SQLModel


class Conversation(SQLModel, table=True):
    """`last_seq` is the `seq` of the newest message ever stored, superseded ones included."""

    __tablename__ = "conversation"

    id: uuid.UUID = Field(primary_key=True)
    user_id: str
    title: str = Field(max_length=200)
    # For the search (`search_vector`); nothing reads it, so selects leave it out.
    search: str | None = Field(default=None, sa_column=Column(TSVECTOR))
    archived: bool = False
    pinned: bool = False
    message_count: int = 0
    last_seq: int = 0
    # Where the history window starts: older messages are not replayed to the model.
    window_seq: int = 0
    # Stands for the messages before `summary_seq`, and is replayed in their place.
    summary: str | None = None
    summary_seq: int = 0
    # The model that was last chosen for it. None: the first of those on offer.
    model: str | None = None
    # Set once the user or the model has given the title. Until then it is the beginning of the first message.
    titled: bool = False
    # After a follow-up that failed, none is due before `last_seq` has come here.
    follow_up_after: int = 0
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    updated_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    # The last import of it. What is kept for so many days is so from then.
    imported_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
