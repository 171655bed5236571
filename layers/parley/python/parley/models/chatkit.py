"""The tables of what only ChatKit has: items that are no messages, and attachments."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Column, DateTime, ForeignKey, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlmodel import Field, SQLModel


class ThreadItem(SQLModel, table=True):
    """`seq` is counted with the messages of the conversation: together they are in order."""

    __tablename__ = "thread_item"
    __table_args__ = (UniqueConstraint("conversation_id", "seq", name="thread_item_seq_key"),)

    conversation_id: uuid.UUID = Field(
        sa_column=Column(UUID, ForeignKey("conversation.id", ondelete="CASCADE"), primary_key=True)
    )
    id: str = Field(primary_key=True)
    user_id: str
    seq: int
    item: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    # Belongs to what an edit or a fresh answer has replaced.
    superseded: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    created_at: datetime = Field(
        sa_column=Column(DateTime(timezone=True), nullable=False, server_default=text("now()"))
    )


class Attachment(SQLModel, table=True):
    """What is known about a file; the file itself lies elsewhere."""

    __tablename__ = "attachment"

    user_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    attachment: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
