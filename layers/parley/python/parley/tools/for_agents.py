"""The tools in the form of the Agents SDK."""

import inspect
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from agents import FunctionTool, RunContextWrapper, function_tool

from parley.tools.api_client import ApiClient, ToolError, ToolFailure
from parley.tools.conversations import CHANGING_TOOLS, CONVERSATION_TOOLS


def _explain(_: RunContextWrapper[Any], error: Exception) -> str:
    """The text that the model reads. Only a ToolError's own text is safe to show."""
    known = isinstance(error, ToolError)
    return ToolFailure(error) if known else ToolFailure("The tool failed. Go on without it.")


def as_function_tool(function: Callable[..., Awaitable[str]]) -> FunctionTool:
    """`function(api_client, …)` as a tool that takes the client from the run's context."""

    @wraps(function)
    async def invoke(context: RunContextWrapper[ApiClient], *args: Any, **kwargs: Any) -> str:
        return await function(context.context, *args, **kwargs)

    signature = inspect.signature(function)
    api_client, *others = signature.parameters.values()
    context = api_client.replace(name="context", annotation=RunContextWrapper[ApiClient])
    invoke.__signature__ = signature.replace(parameters=[context, *others])  # type: ignore[attr-defined]
    invoke.__annotations__ = {
        **{name: kind for name, kind in function.__annotations__.items() if name != api_client.name},
        "context": RunContextWrapper[ApiClient],
    }
    # The SDK would read the wrapped function's annotations.
    del invoke.__wrapped__
    return function_tool(invoke, failure_error_function=_explain, needs_approval=function in CHANGING_TOOLS)


conversation_tools = [as_function_tool(function) for function in CONVERSATION_TOOLS]
