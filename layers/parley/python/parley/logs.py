"""JSON logs, one line a record, with the ids of the request and of its trace, if it is traced.

They never hold content (docs/decisions.md).
"""

import logging
import traceback
from contextvars import ContextVar

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from parley.tracing import trace_id

# They log query strings (uvicorn) or prompts (in error texts).
_SILENCED = ("uvicorn.access", "mangum", "openai", "openai.agents", "mcp", "httpx2", "httpcore2")

request_id: ContextVar[str] = ContextVar("request_id", default="")

# Causes of an error that are named. Their chain may be a circle.
_MAX_CAUSES = 10


def configure_logging(level: str) -> None:
    """Log `parley` to stderr, and silence the loggers that would repeat what users write."""
    handler = logging.StreamHandler()
    handler.setFormatter(LambdaPowertoolsFormatter())
    handler.addFilter(_add_ids)
    logger = logging.getLogger("parley")
    logger.handlers = [handler]
    logger.setLevel(level)
    logger.propagate = False
    # Lambda sets the root level from the template, where it is meant for `parley`.
    logging.getLogger().setLevel(logging.WARNING)
    for name in _SILENCED:
        logging.getLogger(name).handlers = [logging.NullHandler()]
        logging.getLogger(name).propagate = False


def describe_error(error: BaseException) -> dict[str, str]:
    """`extra` for a log record: the error's types and stack, without its text, which may hold content."""
    causes: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(causes) < _MAX_CAUSES:
        causes.append(type(cause).__qualname__)
        cause = cause.__cause__
    return {"error": " < ".join(causes), "stack": "".join(traceback.format_tb(error.__traceback__))}


def _add_ids(record: logging.LogRecord) -> bool:
    record.request_id = request_id.get()
    if identifier := trace_id():
        record.trace_id = identifier
    return True
