"""A client of this API for the tools: in process through ASGI, with the user's own token.

Authentication, ownership checks and validation apply as for any client. The user's identity is in this object
alone; neither the prompt nor a tool's arguments can change it.
"""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
from starlette.types import ASGIApp

from parley.paths import user_path

TIMEOUT_S = 10


class ToolError(Exception):
    """A tool's failure, to raise. The model and the user may read its text."""


class ToolFailure(str):
    """The output of a tool that failed, for the model to read. Only its type tells it from others."""

    __slots__ = ()


@dataclass(eq=False)
class ApiClient:
    """One user's client, for one turn. `conversation_id`: the turn's; None for a request over MCP.

    `answers`: the outputs of client tools (client_tools.py), by call id.
    """

    app: ASGIApp
    user_id: str
    token: str = field(repr=False)
    conversation_id: uuid.UUID | None = None
    answers: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **params: str | int) -> Any:
        return (await self._call("GET", path, params=params)).json()

    async def get_parts(self, path: str) -> AsyncIterator[Any]:
        """What is at `path`, and at each next part that a reply links to."""
        next_path: str | None = path
        while next_path:
            reply = await self._call("GET", next_path)
            yield reply.json()
            url = reply.links.get("next", {}).get("url")
            next_path = url and url.removeprefix(user_path(self.user_id))

    async def patch(self, path: str, body: dict[str, Any]) -> Any:
        return (await self._call("PATCH", path, json=body)).json()

    async def delete(self, path: str) -> None:
        await self._call("DELETE", path)

    async def _call(self, method: str, path: str, **content: Any) -> httpx2.Response:
        """`path` is relative to the user's part of the API. Raises ToolError."""
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.app),
            base_url="http://parley",
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=TIMEOUT_S,
        ) as http:
            reply = await http.request(method, user_path(self.user_id) + path, **content)
        if reply.is_success:
            return reply
        problem = reply.json()
        errors = [each["detail"] for each in problem.get("errors", ())]
        raise ToolError(" ".join([problem["detail"], *errors]))
