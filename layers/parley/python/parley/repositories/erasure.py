"""SQL that deletes: everything of a user, and what is older than it may get."""

from sqlalchemy import text

from parley.database import Database

# Of conversations. With the bound on messages in retention.sql, a batch takes a second or two.
BATCH = 500

_ERASE = text("select cast(erase_user(:user_id) as text)")
_DELETE_UNTOUCHED = text("select delete_untouched(:days, :limit)")
_DELETE_EXPIRED = text("select delete_expired()")


def erase_user(database: Database, user_id: str) -> None:
    """Delete every row of the user, in one transaction. Running turns end and leave nothing."""
    database.rows(user_id, _ERASE, {"user_id": user_id})


def delete_untouched(database: Database, days: int) -> int:
    """Delete a batch of conversations, whosever, that nobody touched for `days`; how many there were."""
    return int(database.rows(None, _DELETE_UNTOUCHED, {"days": days, "limit": BATCH})[0][0])


def delete_expired(database: Database) -> int:
    """Delete what is kept for a day only; how many rows there were."""
    return int(database.rows(None, _DELETE_EXPIRED)[0][0])
