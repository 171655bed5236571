"""SQL of what users set for all of their conversations."""

from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from parley.database import Database
from parley.models import UserSettings


def get_settings(database: Database, user_id: str) -> UserSettings | None:
    rows = database.rows(user_id, select(UserSettings).where(col(UserSettings.user_id) == user_id))
    return rows[0][0] if rows else None


def update_settings(database: Database, user_id: str, changes: dict[str, Any]) -> UserSettings:
    """Set the given columns, of which there is one at least."""
    statement = (
        insert(UserSettings)
        .values(user_id=user_id, **changes)
        .on_conflict_do_update(index_elements=[col(UserSettings.user_id)], set_=changes)
        .returning(UserSettings)
    )
    stored: UserSettings = database.rows(user_id, statement)[0][0]
    return stored
