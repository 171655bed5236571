"""The table of what users spent on the day on which they erased everything."""

from datetime import date

from sqlalchemy import BigInteger, Column
from sqlmodel import Field, SQLModel


class ErasedUsage(SQLModel, table=True):
    """Kept until the day is over, so that erasing does not make the quota fresh. Does not name the user."""

    __tablename__ = "erased_usage"

    # SHA-256 of the user's id, in hexadecimal digits.
    user_hash: str = Field(primary_key=True)
    day: date
    turns: int
    tokens: int = Field(sa_column=Column(BigInteger, nullable=False))
