"""The tables of shared conversations."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Column, DateTime, ForeignKey
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlmodel import Field, SQLModel


class SharedConversation(SQLModel, table=True):
    """A snapshot that anyone with its link may read. `token_hash`: SHA-256 in hex; the token is not kept.

    It goes with its conversation.
    """

    __tablename__ = "shared_conversation"

    id: uuid.UUID = Field(primary_key=True)
    user_id: str
    conversation_id: uuid.UUID = Field(
        sa_column=Column(UUID, ForeignKey("conversation.id", ondelete="CASCADE"), nullable=False)
    )
    token_hash: str
    title: str = Field(max_length=200)
    tool_outputs: bool
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    expires_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))


class SharedMessage(SQLModel, table=True):
    """A message as it was when its conversation was shared. `place` counts from 1.

    `run_items`: its tool calls alone, without arguments and outputs unless these are shared.
    """

    __tablename__ = "shared_message"

    share_id: uuid.UUID = Field(
        sa_column=Column(
            UUID, ForeignKey("shared_conversation.id", ondelete="CASCADE"), primary_key=True, nullable=False
        )
    )
    place: int = Field(primary_key=True)
    user_id: str
    role: str
    status: str
    content: str
    run_items: list[dict[str, Any]] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
