"""`/api/{user_id}/conversations`: list, read, change and delete conversations."""

import html
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field, StrictBool

from parley.api.dependencies import AppDatabase, ConversationId, OwnerId, Share
from parley.api.pages import Cursor
from parley.api.problems import describe
from parley.api.times import Time
from parley.errors import (
    BODY_ERRORS,
    DATA_ERRORS,
    DatabaseUnavailable,
    Forbidden,
    TooManyRequests,
    Unauthorized,
    Unprocessable,
)
from parley.repositories import conversations
from parley.repositories.conversations import (
    HIT_END,
    HIT_START,
    BatchAction,
    BatchOutcome,
    ConversationKey,
    ConversationState,
)
from parley.services.ownership import change_conversation, missing, own_conversation
from parley.text import Text, TitleText

router = APIRouter(prefix="/api/{user_id}/conversations", tags=["conversations"], dependencies=[Share])

_LIST_ERRORS = describe(Unauthorized, Forbidden, Unprocessable, TooManyRequests, DatabaseUnavailable)
_ONE_ERRORS = describe(*DATA_ERRORS)
# Postgres can compare these; a crafted cursor could hold other times.
_Time = Annotated[
    AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(9000, 1, 1, tzinfo=UTC))
]
_CURSOR = Cursor[ConversationKey]("cursor", tuple[bool, _Time, uuid.UUID])


class ConversationOut(BaseModel):
    """`running`: an answer is being written right now. `title_withheld`: the title is the beginning of a
    message that is withheld from models. `model`: the one last chosen for it, which answers where a turn
    names none; null: the default. `snippet`: of a search, what matched, as HTML with nothing but `<mark>` in
    it.
    """

    id: uuid.UUID
    title: str
    created_at: Time
    updated_at: Time
    archived: bool
    pinned: bool
    message_count: int
    running: bool
    title_withheld: bool
    model: str | None
    snippet: str | None

    @classmethod
    def of(cls, state: ConversationState) -> "ConversationOut":
        stored = state.conversation.model_dump(include=set(cls.model_fields))
        return cls(
            **stored,
            running=state.running,
            title_withheld=state.title_withheld,
            snippet=_marked(state.snippet),
        )


class ConversationPage(BaseModel):
    data: list[ConversationOut]
    has_more: bool
    next_cursor: str | None


def _without_defaults(schema: dict[str, Any]) -> None:
    for field in schema["properties"].values():
        del field["default"]
    schema["examples"] = [{"title": "Holiday plans"}]


class ConversationChanges(BaseModel, extra="forbid", json_schema_extra=_without_defaults):
    """What is absent stays as it is. The defaults only stand for it."""

    title: TitleText = ""
    archived: StrictBool = False
    pinned: StrictBool = False


@router.get("", responses=_LIST_ERRORS, summary="The conversations, pinned first, then newest activity")
def list_conversations(
    user_id: OwnerId,
    database: AppDatabase,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    q: Annotated[Text | None, Query(max_length=200, description="Words to search for")] = None,
    archived: bool = False,
) -> ConversationPage:
    page, last = conversations.list_conversations(
        database, user_id, limit=limit, after=_CURSOR.decode(cursor), archived=archived, search=q or None
    )
    data = [ConversationOut.of(state) for state in page]
    return ConversationPage(data=data, has_more=last is not None, next_cursor=_CURSOR.encode(last))


class Batch(
    BaseModel,
    extra="forbid",
    json_schema_extra={"examples": [{"ids": ["0199d1a2-7c1e-7cc3-9a55-5f0a3f9f8a10"], "action": "archive"}]},
):
    ids: Annotated[list[uuid.UUID], Field(min_length=1, max_length=100)]
    action: BatchAction


class Outcome(BaseModel):
    """`outcome`: what the route for one conversation would have answered with 2xx, 404 or 403."""

    id: uuid.UUID
    outcome: BatchOutcome


class BatchResult(BaseModel):
    """One entry for each id, in the order of the request."""

    data: list[Outcome]


@router.post(
    "/batch",
    responses=describe(
        Unauthorized, Forbidden, Unprocessable, TooManyRequests, DatabaseUnavailable, *BODY_ERRORS
    ),
    summary="Archive, unarchive or delete several",
)
def batch_conversations(user_id: OwnerId, batch: Batch, database: AppDatabase) -> BatchResult:
    outcomes = conversations.batch_conversations(database, user_id, batch.ids, batch.action)
    return BatchResult(data=[Outcome(id=id_, outcome=outcome) for id_, outcome in outcomes])


@router.get("/{conversation_id}", responses=_ONE_ERRORS, summary="One conversation")
def get_conversation(
    user_id: OwnerId, conversation_id: ConversationId, database: AppDatabase
) -> ConversationOut:
    return ConversationOut.of(own_conversation(database, user_id, conversation_id))


@router.patch(
    "/{conversation_id}", responses=describe(*DATA_ERRORS, *BODY_ERRORS), summary="Rename, archive or pin it"
)
def update_conversation(
    user_id: OwnerId, conversation_id: ConversationId, changes: ConversationChanges, database: AppDatabase
) -> ConversationOut:
    values = changes.model_dump(exclude_unset=True)
    if "title" in values:
        values["titled"] = True
    if not values:
        return ConversationOut.of(own_conversation(database, user_id, conversation_id))
    return ConversationOut.of(change_conversation(database, user_id, conversation_id, values))


@router.delete(
    "/{conversation_id}", status_code=204, responses=_ONE_ERRORS, summary="Delete it with all its messages"
)
def delete_conversation(user_id: OwnerId, conversation_id: ConversationId, database: AppDatabase) -> None:
    if not conversations.delete_conversation(database, user_id, conversation_id):
        raise missing(database, user_id, conversation_id)


def _marked(snippet: str | None) -> str | None:
    if snippet is None:
        return None
    return html.escape(snippet).replace(HIT_START, "<mark>").replace(HIT_END, "</mark>")
