"""Everything that starts or stops a turn: chat, regenerate, edit, cancel."""

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, Field, StrictBool

from parley import errors
from parley.api.dependencies import AppTurns, ConversationId, OwnerId, owner
from parley.api.messages import MessageOut
from parley.api.problems import describe
from parley.api.turn_replies import ChatReply, TurnRequest
from parley.models.turn import Decision, Edit, Regenerate, Resume, Send
from parley.text import MessageText

router = APIRouter(prefix="/api/{user_id}", tags=["chat"], dependencies=[Depends(owner)])

_REPLY: dict[str, Any] = {
    "description": "The reply; with `Accept: text/event-stream` the turn as it happens",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
    "headers": {
        "Idempotency-Replayed": {
            "description": "`true`: the reply is that of an earlier request with this key",
            "schema": {"type": "string", "enum": ["true"]},
        }
    },
}
_TURN = {200: _REPLY, **describe(*errors.TURN_ERRORS)}
_NEW_VERSION = {200: _REPLY, **describe(*errors.TURN_ERRORS, errors.MessageSuperseded)}

Model = Annotated[
    str | None,
    Field(max_length=200, description="One of `GET /api/models`; none: the conversation's, or the default"),
]
MessageId = Annotated[uuid.UUID, Path(description="The message's id")]
Turn = Annotated[TurnRequest, Depends()]


class ChatRequest(
    BaseModel, extra="forbid", json_schema_extra={"examples": [{"message": "What is a parley?"}]}
):
    message: MessageText
    conversation_id: Annotated[
        uuid.UUID | None, Field(description="The conversation to go on with; none begins a new one")
    ] = None
    model: Model = None


class ModelChoice(BaseModel, extra="forbid"):
    model: Model = None


class EditRequest(
    BaseModel, extra="forbid", json_schema_extra={"examples": [{"message": "What was a parley, in 1700?"}]}
):
    message: MessageText
    model: Model = None


class Approval(BaseModel, extra="forbid", json_schema_extra={"examples": [{"approved": True}]}):
    approved: StrictBool
    calls: Annotated[
        list[str] | None,
        Field(max_length=100, description="The `call_id`s that are decided about; none: all that wait"),
    ] = None


@router.post("/chat", response_model=ChatReply, responses=_TURN, summary="Say something, get an answer")
async def chat(body: ChatRequest, turn: Turn) -> Response:
    return await turn.start(Send(body.conversation_id, body.message, body.model))


@router.post(
    "/conversations/{conversation_id}/messages/{message_id}/regenerate",
    response_model=ChatReply,
    responses=_NEW_VERSION,
    summary="A fresh answer to the same question",
    description="The old answer is kept as an earlier version; what followed it is superseded.",
)
async def regenerate(
    conversation_id: ConversationId, message_id: MessageId, turn: Turn, body: ModelChoice | None = None
) -> Response:
    model = body.model if body else None
    return await turn.start(Regenerate(conversation_id, message_id, model=model))


@router.post(
    "/conversations/{conversation_id}/messages/{message_id}/edit",
    response_model=ChatReply,
    responses=_NEW_VERSION,
    summary="Put a question differently, and get an answer to that",
    description="The old question is kept as an earlier version; what followed it is superseded.",
)
async def edit(
    conversation_id: ConversationId, message_id: MessageId, body: EditRequest, turn: Turn
) -> Response:
    return await turn.start(Edit(conversation_id, message_id, body.message, body.model))


@router.post(
    "/conversations/{conversation_id}/messages/{message_id}/approval",
    response_model=ChatReply,
    responses=_TURN,
    summary="Decide about the tool calls that an answer waits for, and let it go on",
    description="An answer that does not wait (any more) stays as it is, and is the reply.",
)
async def decide(
    conversation_id: ConversationId, message_id: MessageId, body: Approval, turn: Turn
) -> Response:
    decision = Decision(body.approved, frozenset(body.calls) if body.calls is not None else None)
    return await turn.start(Resume(conversation_id, message_id, decision))


@router.post(
    "/conversations/{conversation_id}/messages/{message_id}/cancel",
    responses=describe(*errors.DATA_ERRORS),
    summary="Stop the answer that is being written",
    description="The text so far is kept. An answer that has ended already stays as it is.",
)
async def cancel(
    user_id: OwnerId, conversation_id: ConversationId, message_id: MessageId, turns: AppTurns
) -> MessageOut:
    return MessageOut.of(await turns.cancel(user_id, conversation_id, message_id))
