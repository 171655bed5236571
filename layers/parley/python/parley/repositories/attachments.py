"""SQL of ChatKit's attachments."""

from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from parley.database import Database
from parley.models import Attachment


def save_attachment(database: Database, user_id: str, attachment_id: str, attachment: dict[str, Any]) -> None:
    """Insert or update it."""
    statement = insert(Attachment).values(user_id=user_id, id=attachment_id, attachment=attachment)
    key = [col(Attachment.user_id), col(Attachment.id)]
    changed = statement.on_conflict_do_update(index_elements=key, set_={"attachment": attachment})
    database.rows(user_id, changed.returning(col(Attachment.id)))


def get_attachment(database: Database, user_id: str, attachment_id: str) -> dict[str, Any] | None:
    statement = select(col(Attachment.attachment)).where(
        col(Attachment.user_id) == user_id, col(Attachment.id) == attachment_id
    )
    rows = database.rows(user_id, statement)
    return rows[0][0] if rows else None


def delete_attachment(database: Database, user_id: str, attachment_id: str) -> None:
    """Delete it if it is there."""
    statement = (
        delete(Attachment)
        .where(col(Attachment.user_id) == user_id, col(Attachment.id) == attachment_id)
        .returning(col(Attachment.id))
    )
    database.rows(user_id, statement)
