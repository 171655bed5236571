"""The tools in the form of the Model Context Protocol. Slow to import: it needs the whole MCP SDK."""

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    TextContent,
    Tool,
    ToolAnnotations,
)
from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from starlette.types import Receive, Scope, Send

from parley.logs import describe_error
from parley.tools.api_client import ApiClient, ToolError
from parley.tools.conversations import CONVERSATION_TOOLS, READING_TOOLS

logger = logging.getLogger(__name__)

ToolFunction = Callable[..., Awaitable[str]]


def _arguments(function: ToolFunction) -> type[BaseModel]:
    """The arguments of `function(api_client, …)` that an MCP client sends: all but the first."""
    _api_client, *parameters = inspect.signature(function).parameters.values()
    fields: dict[str, Any] = {each.name: (each.annotation, ...) for each in parameters}
    return create_model(function.__name__, __config__=ConfigDict(extra="forbid"), **fields)


_TOOLS = {function.__name__: (function, _arguments(function)) for function in CONVERSATION_TOOLS}


def _described(name: str, function: ToolFunction, arguments: type[BaseModel]) -> Tool:
    reads = function in READING_TOOLS
    annotations = ToolAnnotations(
        read_only_hint=reads,
        # An old title is lost as well.
        destructive_hint=not reads,
        idempotent_hint=True,
        open_world_hint=False,
    )
    return Tool(
        name=name,
        description=inspect.getdoc(function),
        input_schema=arguments.model_json_schema(),
        annotations=annotations,
    )


async def serve(api_client: ApiClient, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one HTTP request to the MCP server of `api_client`.

    Each request has its own server and manager. A manager can run only once, and Lambda has no lifespan to
    run it in. It also keeps the user's client out of objects that outlive the request.
    """
    manager = StreamableHTTPSessionManager(_server(api_client), json_response=True, stateless=True)
    async with manager.run():
        await manager.handle_request(scope, receive, send)


def _server(api_client: ApiClient) -> Server[Any]:
    async def list_tools(*_: Any) -> ListToolsResult:
        return ListToolsResult(
            tools=[_described(name, function, model) for name, (function, model) in _TOOLS.items()]
        )

    async def call_tool(_: Any, call: CallToolRequestParams) -> CallToolResult:
        if call.name not in _TOOLS:
            raise MCPError(INVALID_PARAMS, "There is no such tool.")
        text, failed = await _call(api_client, call)
        return CallToolResult(content=[TextContent(type="text", text=text)], is_error=failed)

    return Server("parley", version="1", on_list_tools=list_tools, on_call_tool=call_tool)


async def _call(api_client: ApiClient, call: CallToolRequestParams) -> tuple[str, bool]:
    """The tool's output, or the error's text and True. MCP wants bad arguments reported to the model too."""
    function, model = _TOOLS[call.name]
    try:
        arguments = model.model_validate(call.arguments or {})
        return await function(api_client, **dict(arguments)), False
    except ToolError as error:
        return str(error), True
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False, include_context=False)
        return "\n".join(f"{each['loc'][0]}: {each['msg']}" for each in problems), True
    except Exception as error:
        logger.error("tool_crashed", extra=describe_error(error))
        return "The tool failed. Go on without it.", True
