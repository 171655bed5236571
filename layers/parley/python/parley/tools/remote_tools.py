"""The tools of MCP servers elsewhere, for one turn. Takes a while to import: it needs the whole MCP SDK.

Whatever a server does, the turn goes on: each allowed tool is there, if only to say that it cannot be used.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from agents import Agent, FunctionTool, RunContextWrapper
from agents.mcp import MCPServerManager, MCPServerStreamableHttp, MCPUtil
from jsonschema import Draft202012Validator, SchemaError  # type: ignore[import-untyped]
from mcp import MCPError
from mcp_types import CallToolResult, Tool

from parley.logs import describe_error
from parley.tools.api_client import ApiClient
from parley.tools.bounds import bounded_tool
from parley.tools.failure import ToolFailure
from parley.tools.remote import RemoteServer

logger = logging.getLogger(__name__)

# Of a turn's 25 s; a server that needs longer to say hello is not there.
CONNECT_TIMEOUT_S = 4
LIST_TIMEOUT_S = 2
CLOSE_TIMEOUT_S = 0.5
MAX_PAGES = 10
# In characters: the model reads what a server says of its tools in every turn.
MAX_DESCRIPTION = 8_000
MAX_ERROR = 500
# A code of our own: MCP has none for what a tool itself reports.
TOOL_ERROR = -32000


@asynccontextmanager
async def with_remote_tools(
    agent: Agent[Any], servers: Sequence[RemoteServer], api_client: ApiClient
) -> AsyncIterator[Agent[Any]]:
    """`agent` with the allowed tools of `servers`, connected to as long as this lasts."""
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
        own = {tool.name for tool in agent.tools}
        yield agent.clone(tools=[*agent.tools, *(tool for name, tool in tools.items() if name not in own)])


class _Client(MCPServerStreamableHttp):
    """Raises what a tool returned as an error, which the SDK hands to the model like any other output."""

    async def call_tool(
        self, tool_name: str, arguments: dict[str, Any] | None, meta: dict[str, Any] | None = None
    ) -> CallToolResult:
        result = await super().call_tool(tool_name, arguments, meta)
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
            "headers": {"Authorization": f"Bearer {token}"} if token else {},
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
    return [
        _function_tool(client, server, tool)
        for tool in listed
        if tool.name in server.allowed_tools and _is_sound(tool)
    ]


def _is_sound(tool: Tool) -> bool:
    """Whether a model takes it; one that does not refuses the whole turn."""
    try:
        Draft202012Validator.check_schema(tool.input_schema)
        size = len(json.dumps(tool.input_schema)) + len(tool.description or "")
    except (SchemaError, RecursionError):
        return False
    return tool.input_schema.get("type") == "object" and size <= MAX_DESCRIPTION


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

    # A tool of our own, not a copy of `made`: the SDK would not let an approved call of an MCP server meet
    # what takes the tool's place when its server is gone.
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
    """In the place of tools that are not to be had, which the model may remember from earlier turns."""

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
    """What a tool returned, as text: other kinds of content are named only."""
    if isinstance(output, str):
        return output
    parts = output if isinstance(output, list) else [output]
    return "\n".join(part["text"] if part["type"] == "text" else f"[{part['type']}]" for part in parts)


def _log_failure(name: str, error: BaseException) -> None:
    logger.warning("remote_server_failed", extra={"server": name, **describe_error(error)})
