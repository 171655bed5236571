"""The MCP function: the conversation tools for agents elsewhere, and the API that they call in process."""

from functools import partial

import parley.tools.for_mcp  # noqa: F401 (at start, not in the first request)
from parley.api import mcp
from parley.lambda_handler import LambdaHandler
from parley.main import create_light_app

handler = LambdaHandler(partial(create_light_app, None, mcp.router))
