"""`/api/{user_id}/conversations/{id}/messages`: what was said."""

import uuid
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from parley.api.dependencies import AppDatabase, ConversationId, OwnerId, Share
from parley.api.pages import Cursor
from parley.api.problems import describe
from parley.api.times import Time
from parley.errors import BODY_ERRORS, DATA_ERRORS, Unprocessable
from parley.models.tool_call import ToolCall, read_tool_calls
from parley.repositories import messages
from parley.repositories.messages import MessageState
from parley.services.ownership import missing, own_conversation, own_message
from parley.text import Text

router = APIRouter(
    prefix="/api/{user_id}/conversations/{conversation_id}/messages",
    tags=["messages"],
    responses=describe(*DATA_ERRORS),
    dependencies=[Share],
)

_CURSOR = Cursor[int]("before", Annotated[int, Field(ge=0, lt=2**31)])


class TurnUsage(BaseModel):
    """`estimated`: the model did not say how many tokens there were."""

    input_tokens: int
    output_tokens: int
    model: str
    estimated: bool


class Feedback(BaseModel, extra="forbid", json_schema_extra={"examples": [{"rating": "up"}]}):
    """What the user thinks of an answer."""

    rating: Literal["up", "down"]
    comment: Annotated[Text, Field(max_length=2_000)] | None = None


class MessageOut(BaseModel):
    """A message; of an assistant's, the record of its turn. `error` is a problem document.

    `incomplete`: the answer was cut off at the model's limit. `withheld`: no model reads question and
    answer again, because a guardrail or the model's provider refused the question, or the guardrails have not
    accepted it (yet). A tool that reads messages has to leave these out.
    """

    id: uuid.UUID
    conversation_id: uuid.UUID
    seq: int
    role: Literal["user", "assistant"]
    status: Literal["in_progress", "completed", "failed", "cancelled", "interrupted", "waiting_approval"]
    content: str
    tool_calls: list[ToolCall]
    usage: TurnUsage | None
    incomplete: Literal["length"] | None
    withheld: bool
    feedback: Feedback | None
    error: dict[str, Any] | None
    version: int
    version_count: int
    created_at: Time
    completed_at: Time | None

    @classmethod
    def of(cls, state: MessageState) -> "MessageOut":
        message = state.message
        is_charged = message.model is not None and message.output_tokens is not None
        return cls.model_validate(
            {
                **message.model_dump(include=set(cls.model_fields)),
                "status": state.status,
                "tool_calls": read_tool_calls(message.run_items, state.status),
                "usage": message.model_dump(include=set(TurnUsage.model_fields)) if is_charged else None,
                "version_count": state.version_count,
            }
        )


class MessagePage(BaseModel):
    """Chronological. `next_cursor` is the `before` of the page before this one."""

    data: list[MessageOut]
    has_more: bool
    next_cursor: str | None


@router.get("", summary="What was said, the newest page first")
def list_messages(
    user_id: OwnerId,
    conversation_id: ConversationId,
    database: AppDatabase,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    before: Annotated[str | None, Query(max_length=200)] = None,
) -> MessagePage:
    page, last = messages.list_messages(
        database, user_id, conversation_id, limit=limit, after=_CURSOR.decode(before)
    )
    # Every conversation has messages, so an empty first page is asked about once more.
    if not page:
        own_conversation(database, user_id, conversation_id)
    return MessagePage(
        data=[MessageOut.of(state) for state in page[::-1]],
        has_more=last is not None,
        next_cursor=_CURSOR.encode(last),
    )


class MessageVersions(BaseModel):
    """The oldest of the page first. Of the first page, the last is the one that the conversation has."""

    data: list[MessageOut]
    has_more: bool
    next_cursor: str | None


@router.get("/{message_id}/versions", summary="A message as it was before, the newest page first")
def list_versions(
    user_id: OwnerId,
    conversation_id: ConversationId,
    message_id: Annotated[uuid.UUID, Path(description="The id of any of the versions")],
    database: AppDatabase,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    before: Annotated[str | None, Query(max_length=200)] = None,
) -> MessageVersions:
    page, last = messages.list_versions(
        database, user_id, message_id, limit=limit, before=_CURSOR.decode(before)
    )
    if not page:
        own_message(database, user_id, conversation_id, message_id)
    elif page[0].message.conversation_id != conversation_id:
        raise missing(database, user_id, conversation_id, message_id)
    return MessageVersions(
        data=[MessageOut.of(state) for state in page[::-1]],
        has_more=last is not None,
        next_cursor=_CURSOR.encode(last),
    )


@dataclass
class OwnAnswer:
    """One of the user's answers, for a route."""

    user_id: OwnerId
    conversation_id: ConversationId
    message_id: Annotated[uuid.UUID, Path(description="The answer's id")]
    database: AppDatabase

    def rate(self, feedback: dict[str, Any] | None) -> MessageOut:
        own = (self.database, self.user_id, self.conversation_id)
        rated = messages.set_feedback(*own, [self.message_id], feedback)
        state = own_message(*own, self.message_id)
        if not rated:
            raise Unprocessable([{"pointer": "/path/message_id", "detail": "Only answers have feedback."}])
        return MessageOut.of(state)


@router.put(
    "/{message_id}/feedback", responses=describe(*BODY_ERRORS), summary="Say what you think of an answer"
)
def set_feedback(answer: Annotated[OwnAnswer, Depends()], feedback: Feedback) -> MessageOut:
    return answer.rate(feedback.model_dump())


@router.delete("/{message_id}/feedback", status_code=204, summary="Take your feedback back")
def delete_feedback(answer: Annotated[OwnAnswer, Depends()]) -> None:
    answer.rate(None)
