"""The chat Lambda: the whole API behind the HTTP API, replies sent whole."""

from typing import Any

from agent import agent
from mangum import Mangum

from parley.main import TEXT_MIME_TYPES, create_app

# No lifespan: Mangum would run it at every invocation.
mangum = Mangum(create_app(agent=agent), lifespan="off", text_mime_types=TEXT_MIME_TYPES)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return mangum(event, context)
