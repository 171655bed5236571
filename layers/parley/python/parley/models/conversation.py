"""The table of conversations."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, Column, DateTime, Index, text
from sqlmodel import Field, SQLModel


class Conversation(SQLModel, table=True):
    """`last_seq` is the `seq` of the newest message ever stored, superseded ones included."""

    __tablename__ = "conversation"
    __table_args__ = (
        CheckConstraint("user_id <> ''", name="conversation_user_id_check"),
        Index("conversation_activity", "user_id", text("updated_at desc"), text("id desc")),
    )

    id: uuid.UUID = Field(primary_key=True)
    user_id: str
    title: str = Field(max_length=200)
    archived: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    pinned: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    message_count: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    last_seq: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    # Where the history window starts: older messages are not replayed to the model.
    window_seq: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    # Stands for the messages before `summary_seq`, and is replayed in their place.
    summary: str | None = None
    summary_seq: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    # A person or the model gave it its title; until then it is the beginning of the first message.
    titled: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    created_at: datetime = Field(
        sa_column=Column(DateTime(timezone=True), nullable=False, server_default=text("now()"))
    )
    updated_at: datetime = Field(
        sa_column=Column(DateTime(timezone=True), nullable=False, server_default=text("now()"))
    )
