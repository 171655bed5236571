"""`/api/{user_id}/usage`: what the user has spent, and what is left of the quota."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from parley.api.dependencies import AppDatabase, AppSettings, OwnerId, Share
from parley.api.problems import describe
from parley.api.times import Time
from parley.errors import DatabaseUnavailable, Forbidden, TooManyRequests, Unauthorized, Unprocessable
from parley.models import Usage
from parley.prices import cost_of
from parley.repositories.usage import Spent, read_usage

router = APIRouter(prefix="/api/{user_id}/usage", tags=["account"], dependencies=[Share])


class DayUsage(BaseModel):
    """`day` is one in UTC. `cached_tokens` are part of `input_tokens`.

    `cost` is in US dollars, at the prices of that day; null where the model's price is not known.
    """

    day: date
    model: str
    turns: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost: float | None

    @classmethod
    def of(cls, row: Usage) -> "DayUsage":
        tokens = row.model_dump(include={"input_tokens", "cached_tokens", "output_tokens"})
        cost = cost_of(row.model, row.day, **tokens)
        return cls(day=row.day, model=row.model, turns=row.turns, cost=cost, **tokens)


class Quota(BaseModel):
    """Of one day, null where there is none. What running turns may still cost is not left, nor what was
    spent before everything was erased.

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
        used_turns = sum(row.turns for row in today) + spent.other_turns
        used_tokens = sum(row.input_tokens + row.output_tokens for row in today) + spent.other_tokens
        return cls(
            turns=turns,
            tokens=tokens,
            turns_left=_left(turns, used_turns),
            tokens_left=_left(tokens, used_tokens),
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
        days=[DayUsage.of(row) for row in spent.days],
        quota=Quota.of(spent, settings.quota_turns_per_day, settings.quota_tokens_per_day),
    )


def _left(limit: int | None, used: int) -> int | None:
    return None if limit is None else max(0, limit - used)
