"""The chat Lambda: the whole API behind the HTTP API, replies sent whole."""

from typing import Any

import parley.tools.lazy_mcp  # noqa: F401 (first: it loads the Agents SDK, but not mcp)

# isort: split
from agent import agent, mcp_servers
from mangum import Mangum

from parley.main import TEXT_MIME_TYPES, create_app

# No lifespan: Mangum would run it at every invocation.
mangum = Mangum(
    create_app(agent=agent, mcp_servers=mcp_servers), lifespan="off", text_mime_types=TEXT_MIME_TYPES
)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return mangum(event, context)
