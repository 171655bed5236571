"""Limits on the time and the output of every tool."""

import asyncio
from dataclasses import replace
from typing import Any

from agents import Agent, FunctionTool, RunContextWrapper, Tool
from agents.tool_context import ToolContext
from pydantic import BaseModel

from parley.text import INVALID_ARGUMENTS, clean, clean_text
from parley.tools.api_client import ToolFailure
from parley.tools.handoffs import with_tools

TIMEOUT_S = 15
# In characters: the model reads a tool's output again in every later turn.
MAX_OUTPUT = 20_000


def bounded(agent: Agent[Any]) -> Agent[Any]:
    """The agent, and those that it may hand over to, with limits on their function tools.

    An agent used as a tool is one tool: the limits are those of its whole run. The SDK binds it to that tool
    for good, so its own tools have limits only if it is declared as `bounded(agent).as_tool(…)`.
    """
    return with_tools(agent, _bounded_tools)


def _bounded_tools(tools: list[Tool]) -> list[Tool]:
    return [bounded_tool(tool) if isinstance(tool, FunctionTool) else tool for tool in tools]


def bounded_tool(tool: FunctionTool) -> FunctionTool:
    async def invoke(context: ToolContext[Any], arguments: str) -> Any:
        if arguments == INVALID_ARGUMENTS:
            return ToolFailure("The arguments were not a JSON object. The tool was not called.")
        try:
            output = await tool.on_invoke_tool(context, arguments)
        except Exception:
            raise  # the SDK's to explain
        except BaseException:
            # It would end more than the tool: the turn, or the whole server. A cancellation is to do so.
            if _is_cancelled():
                raise
            return ToolFailure("The tool broke off.")
        return _limited(_cleaned(output))

    return replace(
        tool,
        on_invoke_tool=invoke,
        timeout_seconds=tool.timeout_seconds or TIMEOUT_S,
        timeout_error_function=tool.timeout_error_function or _timed_out,
    )


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _cleaned(output: Any) -> Any:
    """An output that can be stored: text, or the SDK's structured content. Anything else becomes text."""
    match output:
        case ToolFailure():
            return ToolFailure(clean_text(output))
        case BaseModel():
            return type(output).model_validate(clean(output.model_dump()))
        case dict() | list():
            return clean(output)
        case _:
            return clean_text(str(output))


def _limited(output: Any) -> Any:
    text = str(output)
    if len(text) <= MAX_OUTPUT:
        return output
    kind = ToolFailure if isinstance(output, ToolFailure) else str
    return kind(f"{text[:MAX_OUTPUT]}\n[… cut off: too long]")


def _timed_out(_: RunContextWrapper[Any], error: Exception) -> str:
    return ToolFailure(error)
