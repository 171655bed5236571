"""A Function URL that streams: the function's own web server takes one request at a time, frozen in between.

The Lambda Web Adapter, which stands in front of it on Lambda, is not run. Imitated is what it does around a
snapshot; requests reach the server as they are, without the adapter's headers.
"""

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from local.aws.environment import INIT_TIMEOUT_S, InitError, Runtime, variables
from local.aws.http_api import TooLarge, cors_headers, is_preflight, read_body
from local.aws.payload import raw_path, raw_query
from local.aws.sandbox import Sandbox
from local.aws.template import Cors, Function
from local.ports import free_port
from local.serving import answers

# The adapter's settings with paths of the app that nobody else may ask for.
_HOOKS = ("AWS_LWA_SNAPSTART_BEFORE_CHECKPOINT_PATH", "AWS_LWA_SNAPSTART_AFTER_RESTORE_PATH")
_OWN = ("connection", "content-length", "date", "server", "transfer-encoding")


class WebEnvironment:
    """A process that serves HTTP on `url`, as the function's handler, a script, starts it."""

    def __init__(self, sandbox: Sandbox, url: str) -> None:
        self.sandbox = sandbox
        self.url = url

    @classmethod
    def start(cls, function: Function, runtime: Runtime, log: Path, endpoint_url: str) -> Self:
        """Raises InitError."""
        port = free_port()
        env = variables(function, runtime, endpoint_url) | {"AWS_LWA_PORT": str(port)}
        env["PATH"] = f"{_folder_with_python(runtime)}:{env['PATH']}"
        command = ["/bin/sh", str(function.folder / function.handler)]
        kill = signal.SIGKILL
        sandbox = Sandbox.start(command, log=log, env=env, cwd=function.folder, stop_with=kill)
        environment = cls(sandbox, f"http://127.0.0.1:{port}")
        ready = environment.url + function.variables.get("AWS_LWA_READINESS_CHECK_PATH", "/")
        deadline = time.monotonic() + INIT_TIMEOUT_S
        while not answers(ready):
            if sandbox.exit_code is not None or time.monotonic() > deadline:
                sandbox.stop()
                error = {"errorType": "Runtime.ExitError", "errorMessage": f"{ready} does not answer"}
                raise InitError(error)
            time.sleep(0.05)
        if function.snap_start:
            environment._take_snapshot(function)
        sandbox.freeze()
        return environment

    def _take_snapshot(self, function: Function) -> None:
        """Raises InitError."""
        for name in _HOOKS:
            reply = httpx.post(self.url + function.variables[name], trust_env=False, timeout=INIT_TIMEOUT_S)
            if not reply.is_success:
                self.sandbox.stop()
                raise InitError(
                    {"errorType": "Extension.Crash", "errorMessage": f"{name}: {reply.status_code}"}
                )
            self.sandbox.freeze()
            self.sandbox.thaw()


def _folder_with_python(runtime: Runtime) -> Path:
    """A folder for the PATH in which `python` is the runtime's, as on Lambda."""
    folder = runtime.packages.with_name("bin")
    folder.mkdir(exist_ok=True)
    python = folder / "python"
    python.unlink(missing_ok=True)
    # A link would not do: Python looks for its packages beside the link.
    python.write_text(f'#!/bin/sh\nexec "{runtime.python}" -S "$@"\n')
    python.chmod(0o755)
    return folder


class FunctionUrl:
    """An ASGI app with at most `limit` environments. A request that finds all of them busy waits."""

    def __init__(
        self, start: Callable[[], WebEnvironment], function: Function, cors: Cors | None, limit: int
    ) -> None:
        self._start = start
        self._hooks = [function.variables.get(name) for name in _HOOKS]
        self._cors = cors
        self._timeout_s = function.timeout_s
        self._places = asyncio.Semaphore(limit)
        self._idle: list[WebEnvironment] = []
        self._all: set[WebEnvironment] = set()
        # A kept connection would lead to a frozen process.
        alone = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.AsyncClient(timeout=function.timeout_s, trust_env=False, limits=alone)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            body = await read_body(request)
        except TooLarge:
            await Response(status_code=413)(scope, receive, send)
            return
        if request.url.path in self._hooks:
            await Response(status_code=403)(scope, receive, send)
            return
        headers = cors_headers(self._cors, request) if self._cors else {}
        if self._cors and is_preflight(request):
            await Response(headers=headers)(scope, receive, send)
            return
        async with self._places:
            await self._pass_on(request, body, headers, send)

    def close(self) -> None:
        for environment in self._all:
            environment.sandbox.stop()

    async def _pass_on(self, request: Request, body: bytes, headers: dict[str, str], send: Send) -> None:
        has_begun = False

        async def send_and_note(part: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(part)

        environment: WebEnvironment | None = None
        try:
            environment = await self._take()
            async with asyncio.timeout(self._timeout_s):
                # The reply is read to the end even if the client has gone away: uvicorn then sends nothing.
                await self._relay(environment.url, request, body, headers, send_and_note)
        except (InitError, TimeoutError, httpx.HTTPError):
            if environment:
                self._all.discard(environment)
                await asyncio.to_thread(environment.sandbox.stop)
            # A reply that has begun just ends there.
            if not has_begun:
                await Response("Internal Server Error", 502)(request.scope, request.receive, send)
        else:
            environment.sandbox.freeze()
            self._idle.append(environment)

    async def _take(self) -> WebEnvironment:
        environment = self._idle.pop() if self._idle else await asyncio.to_thread(self._start)
        self._all.add(environment)
        environment.sandbox.thaw()
        return environment

    async def _relay(
        self, url: str, request: Request, body: bytes, headers: dict[str, str], send: Send
    ) -> None:
        query = raw_query(request)
        target = f"{url}{raw_path(request)}" + (f"?{query}" if query else "")
        passed = [pair for pair in request.headers.items() if pair[0] not in _OWN]
        async with self._client.stream(request.method, target, headers=passed, content=body) as reply:
            sent = [pair for pair in reply.headers.multi_items() if pair[0] not in _OWN]
            if headers:
                sent = [pair for pair in sent if not pair[0].startswith("access-control-")]
            encoded = [(name.encode(), value.encode()) for name, value in (*sent, *headers.items())]
            await send({"type": "http.response.start", "status": reply.status_code, "headers": encoded})
            async for chunk in reply.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body"})
