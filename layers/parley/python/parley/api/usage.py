"""`/api/{user_id}/usage`: what the user has spent, and what is left of the quota."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from parley.api.dependencies import AppDatabase, AppSettings, OwnerId, Share
from parley.api.problems import describe
from parley.api.times import Time
from parley.errors import DatabaseUnavailable, Forbidden, TooManyRequests, Unauthorized, Unprocessable
from parley.repositories.usage import Spent, read_usage

router = APIRouter(prefix="/api/{user_id}/usage", tags=["account"], dependencies=[Share])


class DayUsage(BaseModel):
    """`day` is one in UTC. `cached_tokens` and `cost` are null where they are not known."""

    day: date
    model: str
    turns: int
    input_tokens: int
    cached_tokens: int | None
    output_tokens: int
    cost: float | None


class Quota(BaseModel):
    """Of one day, null where there is none. What running turns may still cost is not left.

    `fresh_at`: when the next day begins.
    """

    turns: int | None
    tokens: int | None
    turns_left: int | None
    tokens_left: int | None
    fresh_at: Time

    @classmethod
    def of(cls, spent: Spent, turns: int | None, tokens: int | None) -> "Quota":
        today = [row for row in spent.days if row.day == spent.today]
        used = sum(row.input_tokens + row.output_tokens for row in today) + spent.reserved
        return cls(
            turns=turns,
            tokens=tokens,
            turns_left=_left(turns, sum(row.turns for row in today)),
            tokens_left=_left(tokens, used),
            fresh_at=datetime.combine(spent.today + timedelta(days=1), time(), UTC),
        )


class UsageOut(BaseModel):
    """`days`: newest first, one entry a day and model. A turn that was repeated counts each time."""

    days: list[DayUsage]
    quota: Quota


@router.get(
    "",
    responses=describe(Unauthorized, Forbidden, Unprocessable, TooManyRequests, DatabaseUnavailable),
    summary="What you have spent, and what is left for today",
)
def get_usage(
    user_id: OwnerId,
    database: AppDatabase,
    settings: AppSettings,
    days: Annotated[int, Query(ge=1, le=366, description="How many days, today included")] = 30,
) -> UsageOut:
    spent = read_usage(database, user_id, days)
    return UsageOut(
        days=[DayUsage(**row.model_dump(), cached_tokens=None, cost=None) for row in spent.days],
        quota=Quota.of(spent, settings.quota_turns_per_day, settings.quota_tokens_per_day),
    )


def _left(limit: int | None, used: int) -> int | None:
    return None if limit is None else max(0, limit - used)
