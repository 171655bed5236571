"""`POST /api/{user_id}/import`: conversations from elsewhere, a part at a time. See docs/export.md."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from parley.api.dependencies import AppDatabase, OwnerId, Share
from parley.api.problems import describe
from parley.errors import (
    BODY_ERRORS,
    DatabaseUnavailable,
    Forbidden,
    TooManyRequests,
    Unauthorized,
    Unprocessable,
)
from parley.services.chatgpt_import import read_conversations
from parley.services.import_plan import Imported, ImportPlan
from parley.services.parley_import import read_records
from parley.text import clean

router = APIRouter(prefix="/api/{user_id}", tags=["export"], dependencies=[Share])


class ParleyPart(BaseModel, extra="forbid"):
    """Lines of Parley's own export, in their order."""

    source: Literal["parley"]
    version: Literal[1]
    records: list[Any]


class ChatGPTPart(BaseModel, extra="forbid"):
    """Entries of ChatGPT's `conversations.json`, or pieces of one."""

    source: Literal["chatgpt"]
    conversations: list[Any]


@router.post(
    "/import",
    responses=describe(
        Unauthorized, Forbidden, Unprocessable, TooManyRequests, DatabaseUnavailable, *BODY_ERRORS
    ),
    summary="Take a part of an export. The same part twice makes nothing anew",
)
def import_part(
    user_id: OwnerId,
    database: AppDatabase,
    part: Annotated[ParleyPart | ChatGPTPart, Field(discriminator="source")],
) -> Imported:
    plan = ImportPlan(user_id)
    if isinstance(part, ParleyPart):
        read_records(plan, clean(part.records))
    else:
        read_conversations(plan, clean(part.conversations))
    return plan.store(database)
