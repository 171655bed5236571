"""`/api/mcp`: the conversation tools for agents elsewhere, over MCP's streamable HTTP without sessions.

Not in the OpenAPI document: MCP and RFC 9728 describe these addresses, and clients find them that way.
"""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from starlette.types import Message, Receive, Scope, Send

from parley.api.dependencies import AppSettings, AppShares, CurrentUser
from parley.errors import Forbidden, NotFound, Unauthorized
from parley.tools.api_client import ApiClient

PATH = "/api/mcp"
METADATA_PATH = "/.well-known/oauth-protected-resource"

router = APIRouter(include_in_schema=False)


async def api_url(request: Request, settings: AppSettings) -> str | None:
    """Where clients reach the API. Never taken from `Host`, in which a client writes what it likes."""
    gateway = request.scope.get("aws.event", {}).get("requestContext", {})
    # API Gateway answers to the names that it is configured for, and to no others.
    return settings.api_url or (f"https://{gateway['domainName']}" if "domainName" in gateway else None)


ApiUrl = Annotated[str | None, Depends(api_url)]


async def challenge(api_url: ApiUrl) -> AsyncIterator[None]:
    """Let a 401 name the metadata about how to get a token (RFC 9728, section 5.1)."""
    try:
        yield
    except Unauthorized as error:
        if api_url:
            bearer = error.headers["WWW-Authenticate"]
            separator = ", " if "=" in bearer else " "
            where = f'resource_metadata="{api_url}{METADATA_PATH}{PATH}"'
            error.headers["WWW-Authenticate"] = f"{bearer}{separator}{where}"
        raise


async def known_origin(settings: AppSettings, origin: Annotated[str | None, Header()] = None) -> None:
    """Refuse pages that may not read the API. MCP asks for this check, against DNS rebinding."""
    if origin is not None and origin not in settings.cors_origins:
        raise Forbidden("Pages of this origin may not use the tools.")


async def place(user: CurrentUser, shares: AppShares) -> AsyncIterator[None]:
    """Hold one of the user's places for tools. Raises TooManyRequests.

    Not one of those for data: a tool's own requests take these.
    """
    async with shares.hold(f"{user.id}\0mcp"):
        yield


class _Exchange(Response):
    """Lets the MCP SDK answer the request."""

    def __init__(self, api_client: ApiClient, body: bytes) -> None:
        super().__init__()
        self._api_client = api_client
        self._request_body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Imported here: it takes as long as everything else together, and a turn does not need it.
        from parley.tools.for_mcp import serve  # noqa: PLC0415

        unread: list[Message] = [{"type": "http.request", "body": self._request_body, "more_body": False}]

        async def receive_again() -> Message:
            return unread.pop() if unread else await receive()

        await serve(self._api_client, scope, receive_again, send)


@router.post(PATH, dependencies=[Depends(challenge), Depends(known_origin), Depends(place)])
async def mcp(request: Request, user: CurrentUser) -> Response:
    # The body is read here, where an oversized one becomes a problem document.
    return _Exchange(ApiClient(request.app, user.id, user.token), await request.body())


@router.get(METADATA_PATH)
@router.get(f"{METADATA_PATH}{PATH}")
async def resource_metadata(api_url: ApiUrl, settings: AppSettings) -> dict[str, Any]:
    """Public: who issues the tokens (RFC 9728)."""
    if api_url is None:
        raise NotFound
    return {
        "resource": f"{api_url}{PATH}",
        "resource_name": "Parley",
        "authorization_servers": [settings.jwt_issuer],
        "bearer_methods_supported": ["header"],
    }
