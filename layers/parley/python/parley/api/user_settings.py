"""`/api/{user_id}/settings`: what the user has set for all conversations."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from parley.api.dependencies import AppDatabase, AppSettings, OwnerId, Share, require_model
from parley.api.problems import describe
from parley.errors import (
    BODY_ERRORS,
    DatabaseUnavailable,
    Forbidden,
    TooManyRequests,
    Unauthorized,
    Unprocessable,
)
from parley.models import UserSettings
from parley.repositories import user_settings
from parley.text import InstructionsText

router = APIRouter(prefix="/api/{user_id}/settings", tags=["account"], dependencies=[Share])

_ERRORS = (Unauthorized, Forbidden, Unprocessable, TooManyRequests, DatabaseUnavailable)


class SettingsOut(BaseModel):
    """`instructions`: told to the agent in each turn. `model`: of new conversations; null: the default, which
    also answers in place of one that is no longer on offer.
    """

    instructions: str | None
    model: str | None

    @classmethod
    def of(cls, stored: UserSettings | None) -> "SettingsOut":
        return cls(
            instructions=stored.instructions if stored else None, model=stored.model if stored else None
        )


def _example(schema: dict[str, Any]) -> None:
    schema["examples"] = [{"instructions": "Call me Ada. Answer in short sentences."}]


class SettingsChanges(BaseModel, extra="forbid", json_schema_extra=_example):
    """What is absent stays as it is. Null takes it away."""

    instructions: InstructionsText | None = None
    model: Annotated[str | None, Field(max_length=200, description="One of `GET /api/models`")] = None


@router.get("", responses=describe(*_ERRORS), summary="What you have set for all conversations")
def get_settings(user_id: OwnerId, database: AppDatabase) -> SettingsOut:
    return SettingsOut.of(user_settings.get_settings(database, user_id))


@router.patch("", responses=describe(*_ERRORS, *BODY_ERRORS), summary="Set your instructions or model")
def update_settings(
    user_id: OwnerId, changes: SettingsChanges, database: AppDatabase, settings: AppSettings
) -> SettingsOut:
    require_model(settings, changes.model)
    values = changes.model_dump(exclude_unset=True)
    if not values:
        return SettingsOut.of(user_settings.get_settings(database, user_id))
    return SettingsOut.of(user_settings.update_settings(database, user_id, values))
