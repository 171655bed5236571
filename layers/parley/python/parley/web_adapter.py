"""The app under the Lambda Web Adapter, which tells it of snapshots by HTTP: it has no runtime client."""

import asyncio
from collections.abc import Callable

from fastapi import FastAPI
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from parley.config import forget_secret, must_read_again
from parley.priming import prime, prime_routes

# In template.yaml too. The adapter answers anybody else who asks for them with 403.
BEFORE_SNAPSHOT = "/snapshot/before"
AFTER_RESTORE = "/snapshot/after"


class SnapshotApp:
    """An app that is created again after a restore, as LambdaHandler does it, and for the same reasons."""

    def __init__(self, create: Callable[[], FastAPI]) -> None:
        self._create = create
        self._app = create()
        prime(self._app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        if path == BEFORE_SNAPSHOT:
            self._app.state.services.database.close()
        elif path == AFTER_RESTORE:
            await asyncio.to_thread(self._reopen)
        else:
            if must_read_again():
                self._app.state.services.database.close()
                await asyncio.to_thread(self._reopen)
            await self._app(scope, receive, send)
            return
        await Response(status_code=204)(scope, receive, send)

    def _reopen(self) -> None:
        forget_secret()
        self._app = self._create()
        prime_routes(self._app)
