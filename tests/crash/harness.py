"""Runs schedules one after another: one event loop with the proxy, the model and the client in it."""

import asyncio
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import uvicorn
from starlette.types import ASGIApp

from local.issuer import Issuer
from local.serving import QUIET, listen
from parley.postgres import Address
from tests.crash.boundaries import CountingModel, FaultInjector, PostProxy, StatementProxy
from tests.crash.client import ChatClient
from tests.crash.invariants import Rows, Violated
from tests.crash.schedule import draw
from tests.crash.workers import ForkServer

TIMEOUT_S = 30
SCHEDULE_TIMEOUT_S = 120


@dataclass
class Report:
    seed: int
    problem: str | None = None
    trace: list[str] = field(default_factory=list)
    struck: int = 0

    def __str__(self) -> str:
        lines = [*self.trace, self.problem or "everything held"]
        return "\n".join([f"seed {self.seed}", *(f"  {line}" for line in lines)])


async def run_schedules(
    owner_url: str,
    app_url: str,
    neon_port: int | None,
    seeds: Iterable[int],
    report: Callable[[Report], None],
) -> None:
    """On a database of their own: new conversations count as titled there, so that none is requested."""
    owner = Address(owner_url).connect()
    owner.autocommit = True
    owner.cursor().execute("alter table conversation alter column titled set default true")
    faults = FaultInjector()
    try:
        async with _servers(faults, app_url, neon_port) as (fork_server, issuer), _client() as http:
            for seed in seeds:
                report(
                    await _run(
                        seed, faults=faults, fork_server=fork_server, issuer=issuer, http=http, owner=owner
                    )
                )
    finally:
        owner.close()


async def _run(
    seed: int,
    *,
    faults: FaultInjector,
    fork_server: ForkServer,
    issuer: Issuer,
    http: httpx.AsyncClient,
    owner: Any,
) -> Report:
    done = Report(seed)
    user_id = f"crash-{seed}-{time.time_ns()}"
    faults.begin(done.trace.append)
    client = ChatClient(
        user_id,
        issuer.mint(user_id),
        http=http,
        fork_server=fork_server,
        faults=faults,
        rows=Rows(owner, user_id),
        trace=done.trace.append,
    )
    try:
        await asyncio.wait_for(client.follow(draw(seed)), SCHEDULE_TIMEOUT_S)
    except Violated as violated:
        done.problem = str(violated)
    except TimeoutError:
        done.problem = "the schedule hangs"
    finally:
        await client.leave()
    done.struck = sum("struck" in line for line in done.trace)
    return done


@asynccontextmanager
async def _servers(
    faults: FaultInjector, app_url: str, neon_port: int | None
) -> AsyncIterator[tuple[ForkServer, Issuer]]:
    with tempfile.TemporaryDirectory() as folder, listen() as listener:
        issuer = Issuer(f"http://127.0.0.1:{listener.getsockname()[1]}", Path(folder) / "key.pem")
        async with (
            _served(issuer.app(), listener),
            _served(CountingModel(faults), model_listener := listen()),
            _database(faults, app_url, neon_port) as database,
        ):
            settings = {
                **database,
                "jwt_issuer": issuer.url,
                "openai_api_key": "offline",
                "openai_base_url": f"http://127.0.0.1:{model_listener.getsockname()[1]}/v1",
                "openai_model": "offline",
                "log_level": "ERROR",
            }
            async with ForkServer.start(settings, "fork-server", issuer.mint("fork-server")) as fork_server:
                yield fork_server, issuer


@asynccontextmanager
async def _database(
    faults: FaultInjector, app_url: str, neon_port: int | None
) -> AsyncIterator[dict[str, str]]:
    """The settings of a database behind a proxy, reached over HTTP if there is a stand-in for Neon."""
    port = urlsplit(app_url).port
    assert port
    proxy = PostProxy(faults, neon_port) if neon_port else StatementProxy(faults, port)
    async with proxy.listen() as proxy_port:
        if neon_port:
            http_url = f"http://127.0.0.1:{proxy_port}/sql"
            yield {"database_url": app_url, "database_transport": "http", "database_http_url": http_url}
        else:
            yield {"database_url": app_url.replace(f":{port}/", f":{proxy_port}/")}


@asynccontextmanager
async def _served(app: ASGIApp, listener: socket.socket) -> AsyncIterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, **QUIET, lifespan="off"))
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def _client() -> httpx.AsyncClient:
    """Whose connections are never kept: the worker at their other end is dead soon."""
    return httpx.AsyncClient(
        timeout=TIMEOUT_S, verify=False, limits=httpx.Limits(max_keepalive_connections=0)
    )
