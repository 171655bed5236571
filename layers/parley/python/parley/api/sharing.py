"""Shared conversations: a link to one as it was when it was shared. There where `SHARING=on`."""

import hashlib
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, Field, StrictBool

from parley.api.dependencies import AppDatabase, AppSettings, ConversationId, OwnerId, Share
from parley.api.pages import Cursor
from parley.api.problems import describe
from parley.api.times import Time
from parley.errors import (
    BODY_ERRORS,
    DATA_ERRORS,
    DatabaseUnavailable,
    NotFound,
    TooManyShared,
    Unprocessable,
)
from parley.ids import new_id
from parley.models import SharedConversation
from parley.models.tool_call import CallStatus, ToolCall, read_tool_calls
from parley.repositories import sharing
from parley.repositories.sharing import UNTITLED, SharedKey, SharedRow
from parley.services.ownership import missing

# Nobody guesses one of 2^256, so nothing counts who tries.
_TOKEN_BYTES = 32
# The address is the secret: no other site is told, and no search engine keeps it.
_PRIVATE = {"X-Robots-Tag": "noindex", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
_NO_LINK = "There is no such link, or it is no longer valid."
_Time = Annotated[
    AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(9000, 1, 1, tzinfo=UTC))
]
_CURSOR = Cursor[SharedKey]("cursor", tuple[_Time, uuid.UUID])
_POSITION = Cursor[int]("cursor", Annotated[int, Field(ge=0, lt=2**31)])
_CursorText = Annotated[str | None, Query(max_length=200)]
_Limit = Annotated[int, Query(ge=1, le=100)]


async def sharing_is_on(settings: AppSettings) -> None:
    if settings.sharing != "on":
        raise NotFound("There is no such address.", headers=_PRIVATE)


router = APIRouter(prefix="/api", tags=["sharing"], dependencies=[Depends(sharing_is_on)])


class ShareRequest(BaseModel, extra="forbid"):
    """`tool_outputs`: share what tools were given and returned, too, not their names alone.

    `expires_in_days`: null for a link that is valid until it is revoked.
    """

    tool_outputs: StrictBool = False
    expires_in_days: Annotated[int, Field(strict=True, ge=1, le=365)] | None = None


class SharedOut(BaseModel):
    id: uuid.UUID
    conversation_id: uuid.UUID
    title: str
    tool_outputs: bool
    created_at: Time
    expires_at: Time | None


class NewShared(BaseModel):
    """The link is `path` at the front end's address. It is told this once: only a hash of `token` is kept."""

    id: uuid.UUID
    token: str
    path: str
    created_at: Time
    expires_at: Time | None


class SharedPage(BaseModel):
    data: list[SharedOut]
    has_more: bool
    next_cursor: str | None


class SharedToolCall(BaseModel):
    """All but the name is null unless tool outputs are shared."""

    name: str
    arguments: str | None = None
    output: Any = None
    status: CallStatus | None = None


class SharedMessageOut(BaseModel):
    role: Literal["user", "assistant"]
    status: Literal["completed", "failed", "cancelled", "interrupted", "waiting_approval"]
    content: str
    tool_calls: list[SharedToolCall]
    created_at: Time


class SharedSnapshot(BaseModel):
    """Chronological, oldest page first."""

    title: str
    shared_at: Time
    expires_at: Time | None
    messages: list[SharedMessageOut]
    has_more: bool
    next_cursor: str | None


@router.post(
    "/{user_id}/conversations/{conversation_id}/share",
    status_code=201,
    dependencies=[Share],
    responses=describe(*DATA_ERRORS, *BODY_ERRORS, TooManyShared),
    summary="Share a conversation as it is now",
)
def share_conversation(
    user_id: OwnerId, conversation_id: ConversationId, database: AppDatabase, wanted: ShareRequest
) -> NewShared:
    token, now = secrets.token_urlsafe(_TOKEN_BYTES), datetime.now(UTC)
    days = wanted.expires_in_days
    shared = SharedConversation(
        id=new_id(),
        user_id=user_id,
        conversation_id=conversation_id,
        token_hash=_hash(token),
        title=UNTITLED,
        tool_outputs=wanted.tool_outputs,
        created_at=now,
        expires_at=now + timedelta(days) if days else None,
    )
    outcome = sharing.share_conversation(database, shared)
    if outcome is None:
        raise missing(database, user_id, conversation_id)
    if outcome == "too_many":
        raise TooManyShared
    return NewShared(**shared.model_dump(), token=token, path=f"/share/{token}")


@router.get(
    "/{user_id}/shares", dependencies=[Share], responses=describe(*DATA_ERRORS), summary="What you share"
)
def list_shared(
    user_id: OwnerId, database: AppDatabase, limit: _Limit = 20, cursor: _CursorText = None
) -> SharedPage:
    page, last = sharing.list_shared(database, user_id, limit=limit, after=_CURSOR.decode(cursor))
    data = [SharedOut.model_validate(shared.model_dump()) for shared in page]
    return SharedPage(data=data, has_more=last is not None, next_cursor=_CURSOR.encode(last))


@router.delete(
    "/{user_id}/shares/{share_id}",
    status_code=204,
    dependencies=[Share],
    responses=describe(*DATA_ERRORS),
    summary="Revoke a link",
)
def delete_shared(
    user_id: OwnerId, share_id: Annotated[uuid.UUID, Path(description="The link's id")], database: AppDatabase
) -> None:
    if not sharing.delete_shared(database, user_id, share_id):
        raise NotFound


@router.get(
    "/shared/{token}",
    responses=describe(NotFound, Unprocessable, DatabaseUnavailable),
    summary="A shared conversation, for anyone with its link",
)
def read_shared(
    token: Annotated[str, Path(description="The token of the link")],
    database: AppDatabase,
    response: Response,
    limit: _Limit = 100,
    cursor: _CursorText = None,
) -> SharedSnapshot:
    after = _POSITION.decode(cursor) or 0
    rows = sharing.read_shared(database, _hash(token), limit=limit, after=after)
    if not rows:
        raise NotFound(_NO_LINK, headers=_PRIVATE)
    response.headers.update(_PRIVATE)
    messages = [row for row in rows if row.place is not None]
    last = messages[-1].place if messages and messages[-1].more else None
    return SharedSnapshot(
        title=rows[0].title,
        shared_at=rows[0].shared_at,
        expires_at=rows[0].expires_at,
        messages=[_shown(row) for row in messages],
        has_more=last is not None,
        next_cursor=_POSITION.encode(last),
    )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def _shown(row: SharedRow) -> SharedMessageOut:
    calls = read_tool_calls(row.run_items, str(row.status))
    return SharedMessageOut.model_validate(
        {
            "role": row.role,
            "status": row.status,
            "content": row.content,
            "created_at": row.created_at,
            "tool_calls": [_call(call) for call in calls],
        }
    )


def _call(call: ToolCall) -> SharedToolCall:
    # The snapshot keeps no id of a call of which it keeps the name alone.
    shown = call.model_dump(include=set(SharedToolCall.model_fields)) if call.call_id else {"name": call.name}
    return SharedToolCall(**shown)
