"""The API as one user calls it: in process through ASGI, with the user's own token.

The same authentication, ownership and validation apply as to any client. Who the user is travels out of
band, in this object; neither the prompt nor a tool's arguments can say otherwise.
"""

import uuid
from typing import Any

import httpx2
from starlette.types import ASGIApp

TIMEOUT_S = 10


class ToolError(Exception):
    """What a tool could not do, in words that the model and the user may read."""


class ApiClient:
    """One user, for one turn. `conversation_id`: where the agent was asked, if it was in a conversation.

    `answers`: by call, what the user's page gave for tools that it carries out itself (client_tools.py).
    """

    def __init__(
        self, app: ASGIApp, user_id: str, token: str, conversation_id: uuid.UUID | None = None
    ) -> None:
        self.user_id = user_id
        self.conversation_id = conversation_id
        self.token = token
        self.answers: dict[str, str] = {}
        self._app = app

    async def get(self, path: str, **params: str | int) -> Any:
        return await self._call("GET", path, params=params)

    async def patch(self, path: str, body: dict[str, Any]) -> Any:
        return await self._call("PATCH", path, json=body)

    async def _call(self, method: str, path: str, **content: Any) -> Any:
        """`path` is relative to the user's part of the API. Raises ToolError."""
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self._app),
            base_url="http://parley",
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=TIMEOUT_S,
        ) as http:
            reply = await http.request(method, f"/api/{self.user_id}{path}", **content)
        if reply.is_success:
            return reply.json()
        raise ToolError(reply.json()["detail"])
