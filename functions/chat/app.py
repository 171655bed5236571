"""The chat Lambda: the whole API behind the HTTP API, replies sent whole."""

from typing import Any

from agent import agent
from mangum import Mangum

from parley.main import create_app

# No lifespan: Mangum would run it at every invocation. Problem documents go out as text, not as base64.
mangum = Mangum(create_app(agent=agent), lifespan="off", text_mime_types=["application/problem+json"])


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return mangum(event, context)
