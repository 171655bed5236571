"""What every Lambda door for HTTP is made of: an app behind Mangum, its logs, and what a snapshot demands.

Only functions/ imports this: awslambdaric, which belongs to the runtime, brings snapshot_restore_py.
"""

import logging
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging import correlation_paths
from fastapi import FastAPI
from mangum import Mangum
from snapshot_restore_py import register_after_restore, register_before_snapshot

from parley.config import forget_secret
from parley.metrics import SERVICE, emit
from parley.priming import prime, prime_routes

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]

# What Mangum is to send as text; anything else it sends as base64.
TEXT_MIME_TYPES = ["text/", "application/json", "application/problem+json"]


class LambdaHandler:
    """A handler for the events of an HTTP API, payload format 2.0.

    Under SnapStart, many environments start from one picture of this one's memory. Connections in it would be
    dead and shared, secrets in it stale: `create` makes the app anew in each of them.
    """

    def __init__(self, create: Callable[[], FastAPI]) -> None:
        self._create = create
        self._is_cold = True
        self._open()
        prime(self.app)
        register_before_snapshot(self._close)
        register_after_restore(self._reopen)

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        if self._is_cold:
            self._is_cold = False
            emit({"ColdStart": 1}, function_name=context.function_name)
        return self._handler(event, context)

    def _open(self) -> None:
        self.app = self._create()
        # No lifespan: Mangum would run it at every invocation.
        mangum = Mangum(self.app, lifespan="off", text_mime_types=TEXT_MIME_TYPES)
        self._handler = _with_context(mangum)

    def _close(self) -> None:
        self.app.state.services.database.close()

    def _reopen(self) -> None:
        forget_secret()
        self._open()
        prime_routes(self.app)


def _with_context(mangum: Mangum) -> Handler:
    """Every log line says which function it comes from, and is one of a hundredth that is at DEBUG."""
    parley = logging.getLogger("parley")
    logger = Logger(service=SERVICE, level=parley.level, logger_handler=parley.handlers[0])

    @logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP, clear_state=True)
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        return mangum(event, context)

    return handler
