"""The handler of every Lambda function for HTTP: an app behind Mangum, with logs and SnapStart hooks.

Only functions/ may import this: snapshot_restore_py comes with the Lambda runtime.
"""

import logging
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging import correlation_paths
from fastapi import FastAPI
from mangum import Mangum
from snapshot_restore_py import register_after_restore, register_before_snapshot

from parley.config import forget_secret, must_read_again
from parley.metrics import SERVICE, emit
from parley.priming import prime, prime_routes

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]

# Mangum sends any other type as base64.
TEXT_MIME_TYPES = ["text/", "application/json", "application/problem+json"]


class LambdaHandler:
    """Handles events of an HTTP API, payload format 2.0.

    Under SnapStart, many environments start from one snapshot of this one's memory, in which connections
    would be dead and shared, and secrets stale. Each environment therefore creates the app again.
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
        if must_read_again():
            self._close()
            self._reopen()
        return self._handler(event, context)

    def _open(self) -> None:
        self.app = self._create()
        # Mangum would run the lifespan at every invocation.
        mangum = Mangum(self.app, lifespan="off", text_mime_types=TEXT_MIME_TYPES)
        self._handler = _with_context(mangum)

    def _close(self) -> None:
        self.app.state.services.database.close()

    def _reopen(self) -> None:
        forget_secret()
        self._open()
        prime_routes(self.app)


def _with_context(mangum: Mangum) -> Handler:
    """Add the function's name to log lines, and sample DEBUG as Powertools is configured to."""
    parley = logging.getLogger("parley")
    logger = Logger(service=SERVICE, level=parley.level, logger_handler=parley.handlers[0])

    @logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP, clear_state=True)
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        return mangum(event, context)

    return handler
