"""How a turn is answered: whole as JSON, or as Server-Sent Events while it happens."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal, assert_never

from fastapi import Depends, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from parley.api.accept import EVENTS, JSON, wants_events
from parley.api.dependencies import AppTurns, CurrentUser, IdempotencyKey, require_model
from parley.api.messages import TurnUsage
from parley.api.problems import problem_document
from parley.api.times import Time
from parley.models import Message
from parley.models.tool_call import ToolCall, read_tool_calls
from parley.models.turn import Act, Resume
from parley.services.agent_service import TextDelta
from parley.services.running_turn import TurnCreated, TurnEnded, TurnEvent, until_ended
from parley.services.turn_service import Client

# What some clients take for the end of a line.
_LINE_BREAKS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}


class ChatReply(BaseModel):
    """`message_id` is the assistant message's; `timestamp` is when it was completed.

    `incomplete`: the answer was cut off at the model's limit.
    """

    conversation_id: uuid.UUID
    message_id: uuid.UUID
    response: str
    timestamp: Time
    status: Literal["completed", "cancelled", "waiting_approval"]
    tool_calls: list[ToolCall]
    usage: TurnUsage
    incomplete: Literal["length"] | None

    @classmethod
    def of(cls, message: Message) -> "ChatReply":
        return cls.model_validate(
            {
                "conversation_id": message.conversation_id,
                "message_id": message.id,
                "response": message.content,
                "timestamp": message.completed_at,
                "status": message.status,
                "tool_calls": read_tool_calls(message.run_items, message.status),
                "usage": message.model_dump(include=set(TurnUsage.model_fields)),
                "incomplete": message.incomplete,
            }
        )


async def turn_client(request: Request, user: CurrentUser, idempotency_key: IdempotencyKey = None) -> Client:
    """The client, and how much of this invocation's time is left as the Lambda runtime says."""
    context = request.scope.get("aws.context")
    remaining_s = context.get_remaining_time_in_millis() / 1000 if context else None
    return Client(user.id, user.token, idempotency_key, remaining_s)


TurnClient = Annotated[Client, Depends(turn_client)]


@dataclass
class TurnRequest:
    """A request that starts a turn: by which client, and how the answer is sent."""

    request: Request
    client: TurnClient
    turns: AppTurns

    async def start(self, act: Act) -> Response:
        """Raises ProblemError when the turn does not begin or, of an answer sent whole, does not complete."""
        if not isinstance(act, Resume):
            require_model(self.turns.settings, act.model)
        events = await self.turns.start(act, self.client)
        if wants_events(",".join(self.request.headers.getlist("accept"))):
            frames = _server_sent(events, self.request.state.request_id)
            return StreamingResponse(frames, media_type=EVENTS)
        ended = [event async for event in until_ended(events)][-1]
        assert isinstance(ended, TurnEnded)  # noqa: S101 (the events' promise)
        if ended.problem:
            raise ended.problem
        headers = {"Idempotency-Replayed": "true"} if ended.replayed else None
        return Response(ChatReply.of(ended.message).model_dump_json(), 200, headers, JSON)


async def _server_sent(events: asyncio.Queue[TurnEvent], request_id: str) -> AsyncIterator[bytes]:
    """The turn as Server-Sent Events, with a comment line whenever nothing happens for a while."""
    number = 0
    async for event in until_ended(events):
        if event is None:
            yield b": keep-alive\n\n"
            continue
        number += 1
        name, data = _encode(event, request_id)
        # As short as in JSON replies: a gateway that collects the events refuses more than 6 MB.
        text = json.dumps(data, ensure_ascii=False).translate(_LINE_BREAKS)
        yield f"id: {number}\nevent: {name}\ndata: {text}\n\n".encode()


def _encode(event: TurnEvent, request_id: str) -> tuple[str, dict[str, Any]]:
    match event:
        case TurnCreated():
            return "turn.created", {name: str(value) for name, value in asdict(event).items()}
        case TextDelta():
            return "turn.output_text.delta", asdict(event)
        case ToolCall():
            return "turn.tool_call", event.model_dump()
        case TurnEnded(problem=None):
            reply = ChatReply.of(event.message)
            return f"turn.{reply.status}", reply.model_dump(mode="json")
        case TurnEnded(problem=problem):
            assert problem is not None  # noqa: S101 (the case before this one)
            return "turn.failed", problem_document(problem, request_id)
    assert_never(event)
