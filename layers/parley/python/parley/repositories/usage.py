"""SQL of what users have spent. `begin_turn` counts a turn, and whatever ends it charges its tokens."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import text
from sqlmodel import col, select

from parley.database import Database
from parley.models import Usage

_RESERVED = text("""
    select coalesce(sum(coalesce(reserved_input, 0)::bigint + coalesce(reserved_output, 0)), 0) from message
    where user_id = :user_id and status = 'in_progress'
""")


@dataclass(frozen=True, slots=True)
class Spent:
    """`days`: newest first. `reserved`: the tokens that running turns may still cost."""

    today: date
    days: list[Usage]
    reserved: int


def read_usage(database: Database, user_id: str, days: int) -> Spent:
    # Read first: a turn that ends meanwhile counts twice and not never.
    reserved = database.rows(user_id, _RESERVED, {"user_id": user_id})[0][0]
    today = datetime.now(UTC).date()
    statement = (
        select(Usage)
        .where(col(Usage.user_id) == user_id, col(Usage.day) > today - timedelta(days))
        .order_by(col(Usage.day).desc(), col(Usage.model))
    )
    return Spent(today, [row[0] for row in database.rows(user_id, statement)], int(reserved))
