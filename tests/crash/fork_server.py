"""The process that workers are forked from: everything is imported, built and used once, nothing is open.

It reads a line of settings as JSON, then commands: `fork` answers with a worker's pid and port, `reap PID`
waits for a worker that was killed. When its input ends, it kills its workers and ends.
"""

import asyncio
import gc
import json
import os
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, NoReturn

import httpx
import uvicorn

from local.serving import QUIET, listen
from parley.config import Settings
from parley.main import create_app
from parley.services import running_turn, turn_service

# So that a schedule takes milliseconds: the promises in between are tested where the seconds are real.
running_turn.CHECKPOINT_S = 0.03
turn_service.CANCEL_PATIENCE_S = 0.4
turn_service.CANCEL_POLL_S = 0.02


def main() -> None:
    config = json.loads(sys.stdin.readline())
    settings = Settings.model_validate(config["settings"])
    client = _FirstClient(config["user_id"], config["token"])
    asyncio.run(_prime(create_app(settings), client.take_a_turn))
    app = create_app(settings)
    asyncio.run(_prime(app, client.ask_for_what_is_missing))
    while threading.active_count() > 1:
        time.sleep(0.01)  # the last run's threads are ending: a fork must not find any
    gc.collect()
    gc.freeze()
    _answer("ready")
    _serve_commands(_server(app))


def _serve_commands(server: uvicorn.Server) -> None:
    workers: set[int] = set()
    for line in sys.stdin:
        match line.split():
            case ["fork"]:
                listener = listen()
                pid = os.fork()
                if pid == 0:
                    _work(server, listener)
                workers.add(pid)
                _answer(f"{pid} {listener.getsockname()[1]}")
                listener.close()
            case ["reap", pid]:
                os.waitpid(int(pid), 0)
                workers.discard(int(pid))
                _answer("reaped")
    for pid in workers:
        os.kill(pid, signal.SIGKILL)


def _work(server: uvicorn.Server, listener: socket.socket) -> NoReturn:
    """Serves until a signal ends the process."""
    with suppress(BaseException):
        asyncio.run(server.serve([listener]))
    os._exit(0)  # whatever is left of the fork server's own work is not the worker's to do


def _server(app: Any) -> uvicorn.Server:
    return uvicorn.Server(uvicorn.Config(app, **QUIET, lifespan="off", log_config=None))


async def _prime(app: Any, use: Callable[[httpx.AsyncClient, str], Awaitable[None]]) -> None:
    """So that what is built on first use is built."""
    with listen() as listener:
        server = _server(app)
        serving = asyncio.create_task(server.serve([listener]))
        async with httpx.AsyncClient(timeout=60) as http:
            await use(http, f"http://127.0.0.1:{listener.getsockname()[1]}")
        server.should_exit = True
        await serving
    app.state.services.database.close()


class _FirstClient:
    def __init__(self, user_id: str, token: str) -> None:
        self._path = f"/api/{user_id}"
        self._headers = {"Authorization": f"Bearer {token}"}

    async def take_a_turn(self, http: httpx.AsyncClient, url: str) -> None:
        said = await http.post(f"{url}{self._path}/chat", json={"message": "Hello"}, headers=self._headers)
        said.raise_for_status()
        path = f"{url}{self._path}/conversations/{said.json()['conversation_id']}/messages"
        (await http.get(path, headers=self._headers)).raise_for_status()

    async def ask_for_what_is_missing(self, http: httpx.AsyncClient, url: str) -> None:
        """Leaves no connection to the model open, which the workers would share."""
        nowhere = str(uuid.uuid4())
        body = {"message": "Hello", "conversation_id": nowhere}
        path = f"{url}{self._path}/conversations/{nowhere}/messages"
        for reply in (
            await http.post(f"{url}{self._path}/chat", json=body, headers=self._headers),
            await http.get(path, headers=self._headers),
            await http.post(f"{path}/{nowhere}/cancel", headers=self._headers),
        ):
            assert reply.status_code == 404, reply.text


def _answer(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
