"""What routes are given: the verified user, and the app's services.

Every dependency is async, since FastAPI runs a plain function in a thread.
"""

import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import unquote

from fastapi import Depends, Header, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from parley.config import Settings
from parley.database import Database
from parley.errors import Forbidden, Unauthorized, Unprocessable
from parley.security import MAX_TOKEN_BYTES, TokenVerifier, User
from parley.services.shares import Shares

if TYPE_CHECKING:
    from parley.chatkit.server import ChatKit
    from parley.services.follow_up_service import FollowUpService
    from parley.services.turn_service import TurnService
    from parley.tools.client_tools import Kind


@dataclass(frozen=True)
class Services:
    """`app.state.services` of the light app."""

    settings: Settings
    verifier: TokenVerifier
    database: Database
    shares: Shares

    async def close(self) -> None:
        self.database.close()


@dataclass(frozen=True)
class ChatServices(Services):
    """`app.state.services` of the whole app. On Lambda, another function does the follow-ups."""

    turns: "TurnService"
    follow_ups: "FollowUpService | None"
    client_tools: "Mapping[str, Kind]"

    @cached_property
    def chatkit(self) -> "ChatKit":
        # Imported here: it costs 0.5 s, and a Lambda function without a snapshot may never need it.
        from parley.chatkit.server import ChatKit  # noqa: PLC0415

        return ChatKit(self.turns, self.database, self.shares, self.client_tools, self.settings.models)

    async def close(self) -> None:
        await self.turns.wait()
        # After the turns, which start them. Later, they would open connections that nobody closes.
        if self.follow_ups is not None:
            await self.follow_ups.wait()
        await self.turns.close()
        await super().close()


def _service(name: str) -> Any:
    """The dependency on a field of `app.state.services`."""

    async def provide(request: Request) -> Any:
        return getattr(request.app.state.services, name)

    return Depends(provide)


AppSettings = Annotated[Settings, _service("settings")]
AppVerifier = Annotated[TokenVerifier, _service("verifier")]
AppDatabase = Annotated[Database, _service("database")]
AppShares = Annotated[Shares, _service("shares")]
AppTurns = Annotated["TurnService", _service("turns")]
AppChatKit = Annotated["ChatKit", _service("chatkit")]

_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="A token of the issuer, RS256")


async def current_user(
    request: Request,
    verifier: AppVerifier,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> User:
    """The verified user, the only source of identity. Every route but the public ones needs it."""
    if credentials is None:
        raise Unauthorized
    if len(request.headers["authorization"]) > MAX_TOKEN_BYTES + len("Bearer "):
        raise Unauthorized("The token is too long")
    return await verifier.verify(credentials.credentials)


CurrentUser = Annotated[User, Depends(current_user)]


async def owner(user: CurrentUser, user_id: Annotated[str, Path(description="The token's `sub`")]) -> str:
    """The user id in the path, which must be the token's."""
    # paths.routed_path has left some of it encoded.
    if unquote(user_id) != user.id:
        raise Forbidden
    return user.id


OwnerId = Annotated[str, Depends(owner)]


async def share(user_id: OwnerId, shares: AppShares) -> AsyncIterator[None]:
    """Hold one of the user's places for requests for data. Raises TooManyRequests."""
    async with shares.hold(user_id):
        yield


def require_model(settings: Settings, model: str | None) -> None:
    """Raises Unprocessable for a model that is not on offer."""
    if model is not None and model not in settings.models:
        raise Unprocessable([{"pointer": "/body/model", "detail": "There is no such model here."}])


Share = Depends(share)
ConversationId = Annotated[uuid.UUID, Path(description="The conversation's id")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Sent again with the same body, it gives the same reply and runs nothing twice",
    ),
]
