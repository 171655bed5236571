"""The table of turns whose conversation was deleted."""

import uuid
from datetime import datetime

from sqlalchemy import Column, DateTime
from sqlmodel import Field, SQLModel


class DeletedTurn(SQLModel, table=True):
    """For a day, its key does not begin the turn anew, and its worker can charge what it spent.

    Also a follow-up of such a conversation, with the id of its charge alone: by that it is charged once.
    """

    __tablename__ = "deleted_turn"

    answer_id: uuid.UUID = Field(primary_key=True)
    user_id: str
    idempotency_key: str | None = Field(default=None, max_length=255)
    # Set if the turn was running. What was reserved for it is charged at once, and put right when its worker
    # says what it spent: then it is `charged`.
    lease_id: uuid.UUID | None = None
    lease_expires_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    reserved_input: int | None = None
    reserved_output: int | None = None
    charged: bool = False
    deleted_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
