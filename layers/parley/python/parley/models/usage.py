"""The table of what each user spent."""

from datetime import date

from sqlalchemy import BigInteger, Column
from sqlmodel import Field, SQLModel


class Usage(SQLModel, table=True):
    """One row a user, day (UTC) and model. A turn counts whenever it begins, its tokens when it ends.

    What running turns may still cost is reserved in their own rows.
    """

    __tablename__ = "usage"

    user_id: str = Field(primary_key=True)
    day: date = Field(primary_key=True)
    model: str = Field(primary_key=True)
    turns: int = 0
    input_tokens: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    # Of the input, what the model's prompt cache had.
    cached_tokens: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    output_tokens: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
