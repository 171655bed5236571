"""One JSON line a log record, with the request's id. Never content (docs/decisions.md)."""

import logging
import traceback
from contextvars import ContextVar

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

# uvicorn's access log has query strings, the SDK's and the clients' error texts have prompts.
_TALKATIVE = ("uvicorn.access", "mangum", "openai", "openai.agents", "mcp", "httpx2", "httpcore2")

request_id: ContextVar[str] = ContextVar("request_id", default="")


def configure_logging(level: str) -> None:
    """Send what `parley` logs to stderr, and silence the loggers that would repeat what users write."""
    handler = logging.StreamHandler()
    handler.setFormatter(LambdaPowertoolsFormatter())
    handler.addFilter(_add_request_id)
    logger = logging.getLogger("parley")
    logger.handlers = [handler]
    logger.setLevel(level)
    logger.propagate = False
    # Lambda sets it to what the template lets through, which is meant for `parley`.
    logging.getLogger().setLevel(logging.WARNING)
    for name in _TALKATIVE:
        logging.getLogger(name).handlers = [logging.NullHandler()]
        logging.getLogger(name).propagate = False


def describe_error(error: BaseException) -> dict[str, str]:
    """`extra` for a log record: what an error is and where it came from, without its text."""
    causes = []
    cause: BaseException | None = error
    while cause is not None:
        causes.append(type(cause).__qualname__)
        cause = cause.__cause__
    return {"error": " < ".join(causes), "stack": "".join(traceback.format_tb(error.__traceback__))}


def _add_request_id(record: logging.LogRecord) -> bool:
    record.request_id = request_id.get()
    return True
