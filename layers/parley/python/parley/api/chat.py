"""`POST /api/{user_id}/chat`: one turn, whole or streamed."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any, Literal, assert_never

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from parley.api.dependencies import IdempotencyKey, OwnerId
from parley.api.messages import ToolCall, TurnUsage
from parley.api.problems import describe, problem_document
from parley.api.text import Text
from parley.api.times import Time
from parley.errors import (
    BadRequest,
    ContentRefused,
    DatabaseUnavailable,
    DeadlineExceeded,
    Forbidden,
    KeyReused,
    ModelBusy,
    NotFound,
    PayloadTooLarge,
    QuotaExceeded,
    TurnInProgress,
    Unauthorized,
    Unprocessable,
    UpstreamFailed,
)
from parley.models import Message
from parley.services.agent_service import TextDelta, ToolProgress
from parley.services.history import tool_calls
from parley.services.turn_service import TurnCreated, TurnEnded, TurnEvent, TurnRequest, TurnService

router = APIRouter(prefix="/api/{user_id}", tags=["chat"])

KEEP_ALIVE_S = 10
_ERRORS = describe(
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    TurnInProgress,
    PayloadTooLarge,
    Unprocessable,
    KeyReused,
    ContentRefused,
    QuotaExceeded,
    UpstreamFailed,
    ModelBusy,
    DatabaseUnavailable,
    DeadlineExceeded,
)


class ChatRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"message": "What is a parley?"}]}
    )

    message: Annotated[Text, Field(min_length=1, max_length=32_000)]
    conversation_id: Annotated[
        uuid.UUID | None, Field(description="The conversation to go on with; none begins a new one")
    ] = None


class ChatReply(BaseModel):
    """`message_id` is the assistant message's; `timestamp` is when it was completed."""

    conversation_id: uuid.UUID
    message_id: uuid.UUID
    response: str
    timestamp: Time
    status: Literal["completed", "cancelled"]
    tool_calls: list[ToolCall]
    usage: TurnUsage

    @classmethod
    def of(cls, message: Message) -> "ChatReply":
        return cls.model_validate(
            {
                "conversation_id": message.conversation_id,
                "message_id": message.id,
                "response": message.content,
                "timestamp": message.completed_at,
                "status": message.status,
                "tool_calls": tool_calls(message.run_items),
                "usage": message.model_dump(include=set(TurnUsage.model_fields)),
            }
        )


def turn_service(request: Request) -> TurnService:
    service: TurnService = request.app.state.turns
    return service


@router.post(
    "/chat",
    response_model=ChatReply,
    responses={
        200: {
            "description": "The reply; with `Accept: text/event-stream` the turn as it happens",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **_ERRORS,
    },
    summary="Say something, get an answer",
)
async def chat(
    request: Request,
    user_id: OwnerId,
    body: ChatRequest,
    turns: Annotated[TurnService, Depends(turn_service)],
    idempotency_key: IdempotencyKey = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    turn = TurnRequest(user_id, body.message, body.conversation_id, idempotency_key)
    events = await turns.start(turn, _platform_remaining_s(request))
    if "text/event-stream" in accept:
        stream = _server_sent(events, request.state.request_id)
        return StreamingResponse(stream, media_type="text/event-stream")
    ended = [event async for event in events][-1]
    assert isinstance(ended, TurnEnded)  # noqa: S101 (the events' promise)
    if ended.problem:
        raise ended.problem
    headers = {"Idempotency-Replayed": "true"} if ended.replayed else None
    return Response(ChatReply.of(ended.message).model_dump_json(), 200, headers, "application/json")


def _platform_remaining_s(request: Request) -> float | None:
    """What the Lambda runtime says is left of this invocation's time."""
    context = request.scope.get("aws.context")
    return context.get_remaining_time_in_millis() / 1000 if context else None


async def _server_sent(events: AsyncIterator[TurnEvent], request_id: str) -> AsyncIterator[bytes]:
    """The turn as Server-Sent Events, with a comment line whenever nothing happens for a while."""
    number = 0
    upcoming = asyncio.ensure_future(anext(events))
    while True:
        done, _ = await asyncio.wait({upcoming}, timeout=KEEP_ALIVE_S)
        if not done:
            yield b": keep-alive\n\n"
            continue
        event = upcoming.result()
        number += 1
        name, data = _encode(event, request_id)
        yield f"id: {number}\nevent: {name}\ndata: {json.dumps(data)}\n\n".encode()
        if isinstance(event, TurnEnded):
            return
        upcoming = asyncio.ensure_future(anext(events))


def _encode(event: TurnEvent, request_id: str) -> tuple[str, dict[str, Any]]:
    match event:
        case TurnCreated():
            return "turn.created", {name: str(value) for name, value in asdict(event).items()}
        case TextDelta():
            return "turn.output_text.delta", asdict(event)
        case ToolProgress():
            return "turn.tool_call", asdict(event)
        case TurnEnded(problem=None):
            reply = ChatReply.of(event.message)
            return f"turn.{reply.status}", reply.model_dump(mode="json")
        case TurnEnded(problem=problem):
            assert problem is not None  # noqa: S101 (the case before this one)
            return "turn.failed", problem_document(problem, request_id)
    assert_never(event)
