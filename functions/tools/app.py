"""The MCP Lambda: the conversation tools for agents elsewhere, with the API that they call in process."""

from functools import partial

import parley.tools.for_mcp  # noqa: F401 (while the environment starts, not by its first request)
from parley.api import mcp
from parley.lambda_handler import LambdaHandler
from parley.main import create_light_app

handler = LambdaHandler(partial(create_light_app, None, mcp.router))
