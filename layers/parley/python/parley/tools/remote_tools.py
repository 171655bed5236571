"""The tools of remote MCP servers, for one turn. Slow to import: it needs the whole MCP SDK.

A server that fails does not end the turn: stand-ins for its allowed tools say that they are unavailable.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from agents import Agent, FunctionTool, RunContextWrapper
from agents import Tool as AnyTool
from agents.mcp import MCPServerManager, MCPServerStreamableHttp, MCPUtil
from jsonschema import Draft202012Validator, SchemaError  # type: ignore[import-untyped]
from mcp import MCPError
from mcp_types import CallToolResult, TextContent, Tool

from parley import tracing
from parley.logs import describe_error
from parley.tools.api_client import ApiClient, ToolFailure
from parley.tools.bounds import bounded_tool
from parley.tools.handoffs import with_tools
from parley.tools.remote import RemoteServer

logger = logging.getLogger(__name__)

# A server that takes longer to connect counts as down: the whole turn has 25 s.
CONNECT_TIMEOUT_S = 4
LIST_TIMEOUT_S = 2
CLOSE_TIMEOUT_S = 0.5
MAX_PAGES = 10
# In characters: the model reads the descriptions in every turn.
MAX_DESCRIPTION = 8_000
MAX_ERROR = 500
# Our own code: MCP has none for errors that a tool reports.
TOOL_ERROR = -32000


@asynccontextmanager
async def with_remote_tools(
    agent: Agent[Any], servers: Sequence[RemoteServer], api_client: ApiClient
) -> AsyncIterator[Agent[Any]]:
    """`agent`, and those that it may hand over to, with the allowed tools of `servers`.

    They are connected for as long as the context lasts.
    """
    clients = {_client(server, api_client): server for server in servers}
    async with MCPServerManager(
        clients,
        connect_timeout_seconds=CONNECT_TIMEOUT_S,
        cleanup_timeout_seconds=CLOSE_TIMEOUT_S,
        connect_in_parallel=True,
    ) as manager:
        for client, error in manager.errors.items():
            _log_failure(client.name, error)
        listed = await asyncio.gather(
            *(
                _tools(client, server)
                for client, server in clients.items()
                if client in manager.active_servers
            )
        )
        tools = {tool.name: tool for server in servers for tool in _missing(server)}
        for found in listed:
            tools |= {tool.name: tool for tool in found}
        yield with_tools(agent, partial(_added, tools))


def _added(remote: dict[str, FunctionTool], tools: list[AnyTool]) -> list[AnyTool]:
    own = {tool.name for tool in tools}
    return [*tools, *(tool for name, tool in remote.items() if name not in own)]


class _Client(MCPServerStreamableHttp):
    """Raises a tool's error, which the SDK would pass to the model like any other output.

    A result that is structured only is read as JSON. The SDK would show the model an empty one.
    """

    async def call_tool(
        self, tool_name: str, arguments: dict[str, Any] | None, meta: dict[str, Any] | None = None
    ) -> CallToolResult:
        result = await super().call_tool(tool_name, arguments, meta)
        if not result.content and result.structured_content is not None:
            text = json.dumps(result.structured_content, ensure_ascii=False)
            result.content = [TextContent(type="text", text=text)]
        if result.is_error:
            raise MCPError(TOOL_ERROR, "\n".join(part.text for part in result.content if part.type == "text"))
        return result


def _client(server: RemoteServer, api_client: ApiClient) -> _Client:
    token = server.secret.get_secret_value() if server.secret else None
    if server.pass_user_token:
        token = api_client.token
    return _Client(
        {
            "url": server.url,
            "headers": tracing.outgoing_headers() | ({"Authorization": f"Bearer {token}"} if token else {}),
            "timeout": server.timeout_s,
            "sse_read_timeout": server.timeout_s,
        },
        name=server.name,
        client_session_timeout_seconds=server.timeout_s,
        max_list_pages=MAX_PAGES,
    )


async def _tools(client: _Client, server: RemoteServer) -> list[FunctionTool]:
    try:
        async with asyncio.timeout(LIST_TIMEOUT_S):
            listed = await client.list_tools()
    except Exception as error:
        _log_failure(server.name, error)
        return []
    # Once each, however often it is listed.
    allowed = {tool.name: tool for tool in listed if tool.name in server.allowed_tools}
    return [_function_tool(client, server, tool) for tool in allowed.values() if _is_sound(tool)]


def _is_sound(tool: Tool) -> bool:
    """Whether a model accepts it. A model refuses the whole turn for one bad tool."""
    try:
        # The size first: what takes seconds to check is large.
        if len(json.dumps(tool.input_schema)) + len(tool.description or "") > MAX_DESCRIPTION:
            return False
        Draft202012Validator.check_schema(tool.input_schema)
    except (SchemaError, RecursionError):
        return False
    return tool.input_schema.get("type") == "object"


def _function_tool(client: _Client, server: RemoteServer, tool: Tool) -> FunctionTool:
    made = MCPUtil.to_function_tool(
        tool,
        client,
        convert_schemas_to_strict=False,
        failure_error_function=partial(_explain, server),
        tool_name_override=server.tool_name(tool.name),
    )

    async def invoke(context: Any, arguments: str) -> str:
        return _text(await made.on_invoke_tool(context, arguments))

    # Not a copy of `made`: the SDK would not resume an approved call of an MCP tool with the tool that
    # replaces it when its server is gone.
    own = FunctionTool(
        made.name,
        made.description,
        made.params_json_schema,
        invoke,
        strict_json_schema=False,
        needs_approval=tool.name in server.needs_approval,
        timeout_seconds=server.timeout_s,
    )
    return bounded_tool(own)


def _missing(server: RemoteServer) -> list[FunctionTool]:
    """Stand-ins for unavailable tools, which the model may remember from earlier turns."""

    async def invoke(_context: Any, _arguments: str) -> str:
        return _unavailable(server)

    schema = {"type": "object", "properties": {}}
    return [
        FunctionTool(
            server.tool_name(tool), "Not available right now.", schema, invoke, strict_json_schema=False
        )
        for tool in server.allowed_tools
    ]


def _explain(server: RemoteServer, _: RunContextWrapper[Any], error: Exception) -> str:
    if isinstance(error, MCPError):
        return ToolFailure(f"The server {server.name} refused: {error.message[:MAX_ERROR]}")
    _log_failure(server.name, error)
    return _unavailable(server)


def _unavailable(server: RemoteServer) -> str:
    return ToolFailure(f"The server {server.name} cannot be used right now. Go on without it.")


def _text(output: Any) -> str:
    """A tool's output as text. Other kinds of content are only named."""
    if isinstance(output, str):
        return output
    parts = output if isinstance(output, list) else [output]
    return "\n".join(part["text"] if part["type"] == "text" else f"[{part['type']}]" for part in parts)


def _log_failure(name: str, error: BaseException) -> None:
    logger.warning("remote_server_failed", extra={"server": name, **describe_error(error)})
