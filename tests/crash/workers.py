"""Worker processes: started in milliseconds, killed, stopped, woken."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.crash import LAYER, ROOT

START_TIMEOUT_S = 180


class Worker:
    """An API process. It has ended for certain when `kill` returns."""

    def __init__(self, fork_server: "ForkServer", pid: int, port: int) -> None:
        self.alive = True
        self.url = f"http://127.0.0.1:{port}"
        self._fork_server = fork_server
        self._pid = pid

    async def kill(self) -> None:
        if self.alive:
            self.alive = False
            os.kill(self._pid, signal.SIGKILL)
            await self._fork_server.ask(f"reap {self._pid}")

    def stop(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def wake(self) -> None:
        if self.alive:
            os.kill(self._pid, signal.SIGCONT)


class ForkServer:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._lock = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def start(cls, settings: dict[str, Any], user_id: str, token: str) -> AsyncIterator["ForkServer"]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.crash.fork_server"),
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(LAYER)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        fork_server = cls(process)
        config = {"settings": settings, "user_id": user_id, "token": token}
        try:
            ready = await asyncio.wait_for(fork_server.ask(json.dumps(config)), START_TIMEOUT_S)
            assert ready == "ready", "the fork server did not start"
            yield fork_server
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()

    async def fork(self) -> Worker:
        pid, port = (await self.ask("fork")).split()
        return Worker(self, int(pid), int(port))

    async def ask(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._lock:
            self._process.stdin.write(f"{line}\n".encode())
            return (await self._process.stdout.readline()).decode().strip()
