"""The app: what the dev server, the tests and every Lambda door call."""

import importlib.util
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware

from parley.api import account, conversations, health, messages, problems
from parley.api.middleware import RequestScope
from parley.config import ConfigError, Settings
from parley.database import Database
from parley.logs import configure_logging
from parley.metrics import configure_metrics
from parley.security import TokenVerifier

if TYPE_CHECKING:
    from agents import Agent

    from parley.chatkit.server import ChatKit
    from parley.services.follow_up_service import FollowUpService
    from parley.tools.remote import RemoteServer

# Of the local server, whose requests share one process; a Lambda environment serves one at a time.
LOCAL_POOL_SIZE = 10
# To pages of other origins; in template.yaml as well.
EXPOSED_HEADERS = ("Content-Location", "Idempotency-Replayed", "Retry-After", "X-Request-Id")
# In a checkout; on Lambda the door names its own.
AGENT_FILE = (Path(__file__).parent / "../../../../functions/chat/agent.py").resolve()


def create_app(
    settings: Settings | None = None,
    agent: "Agent[Any] | None" = None,
    mcp_servers: "Sequence[RemoteServer]" = (),
    agent_file: Path = AGENT_FILE,
) -> FastAPI:
    """The whole API, with `agent` or what `agent_file` declares. Raises ConfigError."""
    # Imported here: the Agents SDK takes seconds, and the light function never needs it.
    import parley.tools.lazy_mcp  # noqa: PLC0415
    from parley.api import chat, chatkit, mcp  # noqa: PLC0415
    from parley.services.agent_service import AgentService  # noqa: PLC0415
    from parley.services.follow_up_service import FollowUpService, invoke_follow_up  # noqa: PLC0415
    from parley.services.turn_service import TurnService  # noqa: PLC0415
    from parley.tools.api_client import ApiClient  # noqa: PLC0415
    from parley.tools.bounds import bounded  # noqa: PLC0415
    from parley.tools.client_tools import client_tools  # noqa: PLC0415

    settings = settings or Settings.load()
    app = create_light_app(settings, chat.router, chatkit.router, mcp.router)
    if agent is None:
        agent, mcp_servers = _load_agent(agent_file)
    if mcp_servers:
        import parley.tools.remote_tools  # noqa: F401, PLC0415 (at start, not in the first turn)
    service = AgentService(settings, mcp_servers)
    database = app.state.database
    if settings.on_lambda:
        follow_up = partial(invoke_follow_up, settings.followup_function)
    else:
        app.state.follow_ups = FollowUpService(database, service, settings)
        follow_up = app.state.follow_ups.start
    make_api_client = partial(ApiClient, app)
    turns = TurnService(
        settings,
        database=database,
        agent_service=service,
        agent=bounded(agent),
        make_api_client=make_api_client,
        follow_up=follow_up,
    )
    app.state.turns = turns
    # On Lambda when it is first asked for, unless a snapshot keeps it: it takes half a second to import.
    app.state.chatkit = cache(partial(_chatkit, turns, database, client_tools(agent), settings.models))
    if not settings.on_lambda or settings.aws_lambda_initialization_type == "snap-start":
        pass  # app.state.chatkit()
    return app


def _chatkit(*parts: Any) -> "ChatKit":
    from parley.chatkit.server import ChatKit  # noqa: PLC0415

    return ChatKit(*parts)


def create_light_app(settings: Settings | None = None, *routers: APIRouter) -> FastAPI:
    """What needs no agent, and `routers` beside it. Never imports the Agents SDK. Raises ConfigError."""
    settings = settings or Settings.load()
    _configure_observation(settings)
    app = FastAPI(
        title="Parley",
        version="1",
        summary="Chat with an agent; every conversation is kept, and yours alone.",
        openapi_url="/api/openapi.json",
        docs_url="/api/docs",
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        separate_input_output_schemas=False,
        lifespan=_close_at_shutdown,
    )
    problems.install(app)
    app.add_middleware(RequestScope)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
            expose_headers=EXPOSED_HEADERS,
            max_age=600,
        )
    for router in (health.router, account.router, conversations.router, messages.router, *routers):
        app.include_router(router)
    app.state.settings = settings
    jwks_url = settings.jwt_jwks_url
    app.state.verifier = TokenVerifier(settings.jwt_issuer, settings.jwt_audience, jwks_url)
    app.state.database = _database(settings)
    return app


def _configure_observation(settings: Settings) -> None:
    configure_logging(settings.log_level)
    configure_metrics(settings.powertools_metrics_namespace if settings.on_lambda else None)


def _database(settings: Settings) -> Database:
    pool_size = 1 if settings.on_lambda else LOCAL_POOL_SIZE
    return Database(settings.database_url.get_secret_value(), pool_size=pool_size)


def create_follow_ups(settings: Settings | None = None) -> "FollowUpService":
    """What the follow-up Lambda runs. Raises ConfigError."""
    import parley.tools.lazy_mcp  # noqa: F401, PLC0415
    from parley.services.agent_service import AgentService  # noqa: PLC0415
    from parley.services.follow_up_service import FollowUpService  # noqa: PLC0415

    settings = settings or Settings.load()
    _configure_observation(settings)
    return FollowUpService(_database(settings), AgentService(settings), settings)


@asynccontextmanager
async def _close_at_shutdown(app: FastAPI) -> AsyncIterator[None]:
    """Of a server that stops. A Lambda environment is never told, and its door runs no lifespan."""
    yield
    for name in ("follow_ups", "turns"):
        if service := getattr(app.state, name, None):
            await service.close()
    app.state.database.close()


def _load_agent(file: Path) -> "tuple[Agent[Any], Sequence[RemoteServer]]":
    """What `file` declares. What is wrong with it is said in a line, for whoever edits it."""
    from agents import Agent  # noqa: PLC0415

    spec = importlib.util.spec_from_file_location("agent", file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{file}: this is not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigError(f"{file}: {type(error).__name__}: {error}") from error
    agent = getattr(module, "agent", None)
    if not isinstance(agent, Agent):
        raise ConfigError(f"{file}: `agent` is not an Agent of the Agents SDK")
    return agent, getattr(module, "mcp_servers", ())
