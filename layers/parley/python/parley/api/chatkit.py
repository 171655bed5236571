"""`/api/chatkit`: the ChatKit protocol, every operation of it by POST."""

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from parley.api.dependencies import BearerToken, CurrentUser, IdempotencyKey, chatkit_server
from parley.api.problems import describe
from parley.api.turn_replies import platform_remaining_s
from parley.errors import TURN_ERRORS, NotSupported
from parley.services.turn_service import Client

if TYPE_CHECKING:
    from parley.chatkit.server import ChatKit

router = APIRouter(prefix="/api", tags=["chatkit"])

_OPERATION = {
    "description": "An operation of the ChatKit protocol; `metadata` is ignored",
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["type", "params"],
                "properties": {
                    "type": {"type": "string"},
                    "params": {"type": "object"},
                    "metadata": {"type": "object"},
                },
            },
            "example": {"type": "threads.list", "params": {"limit": 20}},
        }
    },
}
_REPLY: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "What the operation gives; of one that begins a turn, the turn as it happens, and "
        "`Content-Location`, where the answer can be cancelled",
        "content": {"application/json": {}, "text/event-stream": {"schema": {"type": "string"}}},
    }
}


@router.post(
    "/chatkit",
    response_class=Response,
    responses=_REPLY | describe(*TURN_ERRORS, NotSupported),
    openapi_extra={"requestBody": _OPERATION},
    summary="The ChatKit protocol",
)
async def chatkit(
    request: Request,
    user: CurrentUser,
    token: BearerToken,
    server: Annotated["ChatKit", Depends(chatkit_server)],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    client = Client(user.id, token, idempotency_key, platform_remaining_s(request))
    reply = await server.handle(await request.body(), client)
    headers = {}
    if turn := reply.created:
        conversation = f"/api/{quote(user.id, safe='')}/conversations/{turn.conversation_id}"
        headers["Content-Location"] = f"{conversation}/messages/{turn.message_id}"
    if isinstance(reply.content, bytes):
        return Response(reply.content, 200, headers, "application/json")
    return StreamingResponse(reply.content, 200, headers, "text/event-stream")
