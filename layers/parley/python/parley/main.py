"""The app, as the development server, the tests and every Lambda function create it."""

import importlib
import importlib.util
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware

from parley.api import (
    account,
    conversations,
    data,
    docs,
    export,
    health,
    imports,
    messages,
    problems,
    sharing,
    usage,
    user_settings,
)
from parley.api.dependencies import ChatServices, Services
from parley.api.middleware import RequestScope
from parley.config import ConfigError, Settings
from parley.database import Database
from parley.errors import TooManyRequests
from parley.logs import configure_logging
from parley.metrics import configure_metrics
from parley.security import TokenVerifier
from parley.services.clean_up import CleanUp
from parley.services.shares import Shares
from parley.tracing import configure_tracing

if TYPE_CHECKING:
    from agents import Agent

    from parley.services.follow_up_service import FollowUpService
    from parley.tools.remote import RemoteServer

# A Lambda environment serves one request at a time; the local server's requests share this pool.
LOCAL_POOL_SIZE = 10
# Of one user's requests for data. Others find the rest of the pool.
DATA_REQUESTS_AT_ONCE = 4
DATA_REQUESTS_WAITING = 46
# Response headers that pages of other origins may read. template.yaml has the same list.
EXPOSED_HEADERS = (
    "Content-Disposition",
    "Content-Location",
    "Idempotency-Replayed",
    "Link",
    "Retry-After",
    "X-Request-Id",
)
# The path in a checkout. Lambda functions pass their own.
AGENT_FILE = (Path(__file__).parent / "../../../../functions/chat/agent.py").resolve()


def create_app(
    settings: Settings | None = None,
    agent: "Agent[Any] | None" = None,
    mcp_servers: "Sequence[RemoteServer]" = (),
    hold_answers: bool = False,
    user_instructions: bool = True,
    agent_file: Path = AGENT_FILE,
) -> FastAPI:
    """The whole API, for `agent` or the agent that `agent_file` declares. Raises ConfigError."""
    # Imported here: the Agents SDK takes seconds, and the light function never needs it.
    importlib.import_module("parley.tools.lazy_mcp")
    from parley.api import chat, chatkit, mcp  # noqa: PLC0415
    from parley.services.agent_service import AgentService  # noqa: PLC0415
    from parley.services.follow_up_service import FollowUpService, invoke_follow_up  # noqa: PLC0415
    from parley.services.guardrails import contained  # noqa: PLC0415
    from parley.services.turn_service import TurnService  # noqa: PLC0415
    from parley.tools.api_client import ApiClient  # noqa: PLC0415
    from parley.tools.bounds import bounded  # noqa: PLC0415
    from parley.tools.client_tools import client_tools  # noqa: PLC0415

    settings = settings or Settings.load()
    app = create_light_app(settings, chat.router, chatkit.router, mcp.router)
    light: Services = app.state.services
    if agent is None:
        agent, mcp_servers, hold_answers, user_instructions = _load_agent(agent_file)
    if mcp_servers:
        importlib.import_module("parley.tools.remote_tools")  # at start, not in the first turn
    # The import takes 0.5 s: at start where a snapshot keeps it, otherwise when it is first needed.
    if not settings.on_lambda or settings.aws_lambda_initialization_type == "snap-start":
        importlib.import_module("parley.chatkit.server")
    agent_service = AgentService(settings, mcp_servers)
    follow_ups = None if settings.on_lambda else FollowUpService(light.database, agent_service, settings)
    follow_up = follow_ups.start if follow_ups else partial(invoke_follow_up, settings.followup_function)
    turns = TurnService(
        settings=settings,
        database=light.database,
        agent_service=agent_service,
        agent=contained(bounded(agent)),
        make_api_client=partial(ApiClient, app),
        follow_up=follow_up,
        hold_answers=hold_answers,
        user_instructions=user_instructions,
    )
    app.state.services = ChatServices(
        settings, light.verifier, light.database, light.shares, turns, follow_ups, client_tools(agent)
    )
    return app


def create_light_app(settings: Settings | None = None, *routers: APIRouter) -> FastAPI:
    """The routes that need no agent, and `routers`. Never imports the Agents SDK. Raises ConfigError."""
    settings = settings or Settings.load()
    _configure_observation(settings)
    app = FastAPI(
        title="Parley",
        version="1",
        summary="Chat with an agent; every conversation is kept, and yours alone.",
        openapi_url="/api/openapi.json",
        # FastAPI's own pages load scripts from other hosts.
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
        # FastAPI's own spans and logs would hold queries and errors' texts.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        lifespan=_lifespan,
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
    for module in (
        health,
        docs,
        account,
        usage,
        data,
        user_settings,
        conversations,
        messages,
        export,
        imports,
        sharing,
    ):
        app.include_router(module.router)
    for router in routers:
        app.include_router(router)
    verifier = TokenVerifier(settings.jwt_issuer, settings.jwt_audience, settings.jwt_jwks_url)
    shares = Shares(DATA_REQUESTS_AT_ONCE, DATA_REQUESTS_WAITING, TooManyRequests)
    app.state.services = Services(settings, verifier, _database(settings), shares)
    return app


def create_follow_ups(settings: Settings | None = None) -> "FollowUpService":
    """What the follow-up function runs. Raises ConfigError."""
    importlib.import_module("parley.tools.lazy_mcp")
    from parley.services.agent_service import AgentService  # noqa: PLC0415
    from parley.services.follow_up_service import FollowUpService  # noqa: PLC0415

    settings = settings or Settings.load()
    _configure_observation(settings)
    return FollowUpService(_database(settings), AgentService(settings), settings)


def create_clean_up(settings: Settings | None = None) -> CleanUp:
    """What the retention function runs. Raises ConfigError."""
    settings = settings or Settings.load()
    _configure_observation(settings)
    return CleanUp(_database(settings), settings.retention_days)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Close the services when a server stops. Lambda stops environments without notice."""
    yield
    await app.state.services.close()


def _configure_observation(settings: Settings) -> None:
    configure_logging(settings.log_level)
    configure_metrics(settings.powertools_metrics_namespace if settings.on_lambda else None)
    configure_tracing(settings)


def _database(settings: Settings) -> Database:
    pool_size = 1 if settings.on_lambda else LOCAL_POOL_SIZE
    return Database(
        settings.database_url.get_secret_value(),
        pool_size=pool_size,
        transport=settings.database_transport,
        http_url=settings.database_http_url,
    )


def _load_agent(file: Path) -> "tuple[Agent[Any], Sequence[RemoteServer], bool, bool]":
    """`agent`, `mcp_servers`, `hold_answers` and `user_instructions` of `file`.

    An error in it is a one-line ConfigError.
    """
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
    return (
        agent,
        getattr(module, "mcp_servers", ()),
        getattr(module, "hold_answers", False),
        getattr(module, "user_instructions", True),
    )
