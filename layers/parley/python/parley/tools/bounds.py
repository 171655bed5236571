"""Limits on the time and the output of every tool."""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakSet

from agents import Agent, FunctionTool, RunContextWrapper, Tool
from agents.tool_context import ToolContext
from pydantic import BaseModel

from parley.text import INVALID_ARGUMENTS, beginning, clean, clean_text, json_size
from parley.tools.api_client import ToolFailure
from parley.tools.handoffs import used_as_tools, with_tools

TIMEOUT_S = 15
# In bytes of JSON. The model reads a tool's output again in every later turn, and a turn has 50 of them.
MAX_OUTPUT = 20_000
CUT_OFF = "\n[… cut off: too long]"


def bounded(agent: Agent[Any]) -> Agent[Any]:
    """The agent, and those that it may hand over to, with limits on their function tools.

    An agent used as a tool is one tool: the limits are those of its whole run. Its own tools get them in
    place, because the SDK binds an agent to its tool for good.
    """
    return with_tools(agent, _with_limits)


def _with_limits(tools: list[Tool]) -> list[Tool]:
    for agent in used_as_tools(tools):
        agent.tools = _bounded_tools(agent.tools)
    return _bounded_tools(tools)


def _bounded_tools(tools: list[Tool]) -> list[Tool]:
    return [bounded_tool(tool) if isinstance(tool, FunctionTool) else tool for tool in tools]


def bounded_tool(tool: FunctionTool) -> FunctionTool:
    if isinstance(tool.on_invoke_tool, _Bounded):
        return tool
    return replace(
        tool,
        on_invoke_tool=_Bounded(tool),
        timeout_seconds=tool.timeout_seconds or TIMEOUT_S,
        timeout_error_function=tool.timeout_error_function or _timed_out,
    )


@dataclass(frozen=True)
class _Bounded:
    """What the SDK calls in place of the tool."""

    tool: FunctionTool

    async def __call__(self, context: ToolContext[Any], arguments: str) -> Any:
        if arguments == INVALID_ARGUMENTS:
            return ToolFailure("The arguments were not a JSON object. The tool was not called.")
        _use_threads()
        try:
            output = await self.tool.on_invoke_tool(context, arguments)
        except Exception:
            raise  # the SDK's to explain
        except BaseException:
            # It would end more than the tool: the turn, or the whole server.
            if _is_cancelled():
                raise asyncio.CancelledError from None
            return ToolFailure("The tool broke off.")
        try:
            return _limited(_cleaned(output))
        except Exception:
            return ToolFailure("The tool returned something that cannot be read.")


class _Threads(ThreadPoolExecutor):
    """A call that raises StopIteration fails. In Python 3.11, asyncio would wait for its end for ever."""

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(_finite, function, *args, **kwargs)


def _finite(function: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        return function(*args, **kwargs)
    except StopIteration as error:
        raise RuntimeError("A call in a thread raised StopIteration.") from error


_loops: WeakSet[asyncio.AbstractEventLoop] = WeakSet()


def _use_threads() -> None:
    """Let the running event loop call functions that block, such as tools, in _Threads."""
    loop = asyncio.get_running_loop()
    if loop not in _loops:
        loop.set_default_executor(_Threads())
        _loops.add(loop)


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
        case list():
            return [_cleaned(part) if isinstance(part, BaseModel) else clean(part) for part in output]
        case dict():
            return clean(output)
        case _:
            return clean_text(str(output))


def _limited(output: Any) -> Any:
    # The SDK keeps structured content as JSON and anything else as str() writes it, which escapes more.
    parsed = output.model_dump() if isinstance(output, BaseModel) else output
    if max(json_size(parsed), json_size(str(output))) <= MAX_OUTPUT:
        return output
    kind = ToolFailure if isinstance(output, ToolFailure) else str
    return kind(beginning(str(output), MAX_OUTPUT) + CUT_OFF)


def _timed_out(_: RunContextWrapper[Any], error: Exception) -> str:
    return ToolFailure(error)
