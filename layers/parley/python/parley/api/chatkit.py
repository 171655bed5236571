"""`/api/chatkit`: the ChatKit protocol, every operation of it by POST."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from parley.api.dependencies import AppChatKit
from parley.api.problems import describe
from parley.api.turn_replies import TurnClient
from parley.errors import TURN_ERRORS, NotSupported
from parley.paths import user_path

router = APIRouter(prefix="/api", tags=["chatkit"])

_SCHEMA = {
    "type": "object",
    "required": ["type", "params"],
    "properties": {"type": {"type": "string"}, "params": {"type": "object"}, "metadata": {"type": "object"}},
}
_EXAMPLE = {"type": "threads.list", "params": {"limit": 20}}
_OPERATION = {
    "description": "An operation of the ChatKit protocol; `metadata` is ignored",
    "required": True,
    "content": {"application/json": {"schema": _SCHEMA, "example": _EXAMPLE}},
}
_REPLY: dict[str, Any] = {
    "description": "What the operation gives; of one that begins a turn, the turn as it happens",
    "content": {"application/json": {}, "text/event-stream": {"schema": {"type": "string"}}},
    "headers": {
        "Content-Location": {
            "description": "Of a turn: the path of the answer, where it can be cancelled",
            "schema": {"type": "string"},
        }
    },
}


@router.post(
    "/chatkit",
    response_class=Response,
    responses={200: _REPLY, **describe(*TURN_ERRORS, NotSupported)},
    openapi_extra={"requestBody": _OPERATION},
    summary="The ChatKit protocol",
)
async def chatkit(request: Request, client: TurnClient, server: AppChatKit) -> Response:
    reply = await server.handle(await request.body(), client)
    headers = {}
    if turn := reply.created:
        conversation = f"{user_path(client.user_id)}/conversations/{turn.conversation_id}"
        headers["Content-Location"] = f"{conversation}/messages/{turn.message_id}"
    if isinstance(reply.content, bytes):
        return Response(reply.content, 200, headers, "application/json")
    return StreamingResponse(reply.content, 200, headers, "text/event-stream")
