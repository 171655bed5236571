"""The table of what each user has set."""

from sqlmodel import Field, SQLModel


class UserSettings(SQLModel, table=True):
    """`instructions`: told to the agent in each turn. `model`: of the user's new conversations."""

    __tablename__ = "user_settings"

    user_id: str = Field(primary_key=True)
    instructions: str | None = None
    model: str | None = None
