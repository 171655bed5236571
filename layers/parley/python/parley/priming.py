"""Does what a first request would do for the first time while the environment still starts.

Lambda gives a whole processor then, and a snapshot keeps the result. Nothing leaves this process: the model's
answers are recorded, and requests have no token, so they never reach the database.
"""

import asyncio
import gc
import logging
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio.to_thread
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from pg8000.converters import timestamptz_in
from starlette.types import Message

from parley.api.dependencies import ChatServices
from parley.config import Settings
from parley.logs import describe_error, request_id

logger = logging.getLogger(__name__)

# What a model sends in one turn: a call of the tool `echo`, then a text.
RECORDINGS = Path(__file__).parent / "recordings"
# An environment has 10 s to start.
TIMEOUT_S = 8


def prime(app: FastAPI) -> None:
    """Rehearse what `app` does. A failure is only logged: the first request is slower then."""
    prime_routes(app)
    # In a thread of its own, since Mangum and uvicorn have event loops of their own in this one.
    thread = threading.Thread(target=_rehearse, args=(app,))
    thread.start()
    thread.join()
    # What exists now stays: the garbage collector need not look at a million objects again and again.
    gc.collect()
    gc.freeze()


def prime_routes(app: FastAPI) -> None:
    """FastAPI prepares the routes when they are first iterated over."""
    for _ in iter_route_contexts(app.routes):
        pass


def _rehearse(app: FastAPI) -> None:
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        asyncio.run(asyncio.wait_for(_rehearse_all(app), TIMEOUT_S))
    except Exception as error:
        logger.warning("priming_failed", extra=describe_error(error))
    finally:
        logging.disable(before)


async def _rehearse_all(app: FastAPI) -> None:
    # Threads of both kinds, and how pg8000 reads a time.
    await asyncio.to_thread(timestamptz_in, datetime.now(UTC).isoformat())
    await anyio.to_thread.run_sync(timestamptz_in, datetime.now(UTC).isoformat())
    # Requests that serve another one are not counted in the metrics.
    request_id.set("priming")
    for route in iter_route_contexts(app.routes):
        if route.path and route.path.startswith("/api/{user_id}"):
            for method in route.methods or ():
                await _request(app, method, route.path)
    if isinstance(app.state.services, ChatServices):
        await _rehearse_turn(app.state.services.settings)


async def _request(app: FastAPI, method: str, path: str) -> None:
    """Send a request without a token, which the app refuses with 401."""

    async def receive() -> Message:
        return {"type": "http.request", "body": b"{}"}

    async def send(_: Message) -> None:
        pass

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers}
    await app(scope, receive, send)


async def _rehearse_turn(settings: Settings) -> None:
    """Run a turn with a tool call. The first turn would take 0.6 s more of CPU without it (0.04 s with)."""
    # Imported here: the light function never imports the Agents SDK.
    import httpx2  # noqa: PLC0415
    from agents import Agent, function_tool  # noqa: PLC0415

    from parley.services.agent_service import AgentOutput, AgentService  # noqa: PLC0415
    from parley.tools.bounds import bounded  # noqa: PLC0415

    @function_tool
    def echo(text: str) -> str:
        """Return the text."""
        return text

    answers = iter(sorted(RECORDINGS.glob(f"{settings.openai_api}_*.sse")))

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(
            200, headers={"content-type": "text/event-stream"}, content=next(answers).read_bytes()
        )

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    service = AgentService(settings, http_client=http)
    agent = bounded(Agent[Any](name="Rehearsal", instructions="Rehearse.", tools=[echo]))
    output = AgentOutput()
    async for _ in service.stream(agent, [{"role": "user", "content": "Begin."}], output):
        pass
    await service.close()
