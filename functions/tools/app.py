"""The MCP Lambda: the conversation tools for agents elsewhere, with the API that they call in process."""

from typing import Any

from mangum import Mangum

import parley.tools.for_mcp  # noqa: F401 (while the environment starts, not by its first request)
from parley.api import mcp
from parley.main import TEXT_MIME_TYPES, create_light_app

mangum = Mangum(create_light_app(None, mcp.router), lifespan="off", text_mime_types=TEXT_MIME_TYPES)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return mangum(event, context)
