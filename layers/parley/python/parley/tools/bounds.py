"""Limits on the time and the output of every tool."""

from dataclasses import replace
from typing import Any

from agents import Agent, FunctionTool, RunContextWrapper
from agents.tool_context import ToolContext

from parley.tools.api_client import ToolFailure

TIMEOUT_S = 15
# In characters: the model reads a tool's output again in every later turn.
MAX_OUTPUT = 20_000


def bounded(agent: Agent[Any]) -> Agent[Any]:
    """The agent with limits on its function tools."""
    return agent.clone(
        tools=[bounded_tool(tool) if isinstance(tool, FunctionTool) else tool for tool in agent.tools]
    )


def bounded_tool(tool: FunctionTool) -> FunctionTool:
    async def invoke(context: ToolContext[Any], arguments: str) -> Any:
        output = await tool.on_invoke_tool(context, arguments)
        text = str(output)
        if len(text) <= MAX_OUTPUT:
            return output
        kind = ToolFailure if isinstance(output, ToolFailure) else str
        return kind(f"{text[:MAX_OUTPUT]}\n[… cut off: too long]")

    return replace(
        tool,
        on_invoke_tool=invoke,
        timeout_seconds=tool.timeout_seconds or TIMEOUT_S,
        timeout_error_function=tool.timeout_error_function or _timed_out,
    )


def _timed_out(_: RunContextWrapper[Any], error: Exception) -> str:
    return ToolFailure(error)
