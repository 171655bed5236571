"""What routes are given: the verified user, and the services."""

import asyncio
import uuid
from typing import Annotated

from fastapi import Depends, Header, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from parley.database import Database
from parley.errors import Forbidden, Unauthorized
from parley.security import TokenVerifier, User

_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="A token of the issuer, RS256")


async def current_user(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> User:
    """The verified user. The only source of identity; every route but the public ones needs it."""
    if credentials is None:
        raise Unauthorized
    verifier: TokenVerifier = request.app.state.verifier
    if verifier.needs_fetch(credentials.credentials):
        return await asyncio.to_thread(verifier.verify, credentials.credentials)
    return verifier.verify(credentials.credentials)


def bearer_token(
    _: Annotated[User, Depends(current_user)],
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(_bearer)],
) -> str:
    """The verified token itself, for what is done as the user."""
    return credentials.credentials


CurrentUser = Annotated[User, Depends(current_user)]
BearerToken = Annotated[str, Depends(bearer_token)]


def owner(user: CurrentUser, user_id: Annotated[str, Path(description="The token's `sub`")]) -> str:
    """The id of the user whose resources the path names, who must be the caller."""
    if user_id != user.id:
        raise Forbidden
    return user.id


def database(request: Request) -> Database:
    instance: Database = request.app.state.database
    return instance


OwnerId = Annotated[str, Depends(owner)]
AppDatabase = Annotated[Database, Depends(database)]
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
