"""The table of what follow-ups cost."""

import uuid
from datetime import datetime

from sqlalchemy import Column, DateTime
from sqlmodel import Field, SQLModel


class FollowUp(SQLModel, table=True):
    """One request to the model for a title or a summary. Kept for a day.

    What is reserved for it is charged when it begins, and put right when it is `settled`: its worker says
    what it spent. A worker that dies leaves what was reserved.
    """

    __tablename__ = "follow_up"

    id: uuid.UUID = Field(primary_key=True)
    user_id: str
    model: str
    reserved_input: int
    reserved_output: int
    settled: bool = False
    begun_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
