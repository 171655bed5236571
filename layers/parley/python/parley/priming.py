"""Does what a first request would do for the first time while the environment still starts.

Lambda gives a whole processor then, and a snapshot keeps the result. Nothing leaves this process: the model's
answers are recorded.
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

from parley import tracing
from parley.api.dependencies import ChatServices
from parley.config import Settings
from parley.logs import describe_error

logger = logging.getLogger(__name__)

# What a model sends in one turn: a call of the tool `echo`, then a text.
RECORDINGS = Path(__file__).parent / "recordings"
# An environment has 10 s to start.
TIMEOUT_S = 8


def prime(app: FastAPI) -> None:
    """Prepare the routes and threads, and rehearse a turn. The times below are of CPU, measured."""
    prime_routes(app)
    # In a thread of its own, since Mangum and uvicorn have event loops of their own in this one.
    thread = threading.Thread(target=_rehearse_logged, args=(app,))
    thread.start()
    thread.join()
    # What exists now stays: the garbage collector need not go through a million objects again (170 ms).
    gc.collect()
    gc.freeze()


def prime_routes(app: FastAPI) -> None:
    """FastAPI prepares the routes when they are first iterated over (40 ms)."""
    for _ in iter_route_contexts(app.routes):
        pass


def _rehearse_logged(app: FastAPI) -> None:
    """A failure is only logged: the first request is slower then."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        asyncio.run(asyncio.wait_for(_rehearse(app), TIMEOUT_S))
    except Exception as error:
        logger.warning("priming_failed", extra=describe_error(error))
    finally:
        logging.disable(before)


async def _rehearse(app: FastAPI) -> None:
    # Threads of both kinds, and how pg8000 reads a time (20 ms: they import modules).
    await asyncio.to_thread(timestamptz_in, datetime.now(UTC).isoformat())
    await anyio.to_thread.run_sync(timestamptz_in, datetime.now(UTC).isoformat())
    if isinstance(app.state.services, ChatServices):
        await _rehearse_turn(app.state.services.settings)


async def _rehearse_turn(settings: Settings) -> None:
    """Run a turn with a tool call (850 ms the first time, 25 ms after that)."""
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
        headers = {"content-type": "text/event-stream"}
        return httpx2.Response(200, headers=headers, content=next(answers).read_bytes())

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    service = AgentService(settings, http_client=http)
    agent = bounded(Agent[Any](name="Rehearsal", instructions="Rehearse.", tools=[echo]))
    with tracing.untraced():
        async for _ in service.stream(agent, [{"role": "user", "content": "Begin."}], AgentOutput()):
            pass
    await service.close()
