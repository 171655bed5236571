"""The guardrails of an agent, of those that it may hand over to, and of those that it uses as tools."""

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

from agents import Agent

from parley.tools.handoffs import reachable, used_as_tools


def contained(agent: Agent[Any]) -> Agent[Any]:
    """`agent`, changed in place: no guardrail ends more than its turn, whatever it raises."""
    own = list(reachable(agent))
    for each in [*own, *used_as_tools([tool for one in own for tool in one.tools])]:
        each.input_guardrails = [
            replace(guardrail, guardrail_function=_contained(guardrail.guardrail_function))
            for guardrail in each.input_guardrails
        ]
        each.output_guardrails = [
            replace(guardrail, guardrail_function=_contained(guardrail.guardrail_function))
            for guardrail in each.output_guardrails
        ]
    return agent


def judges_answers(agent: Agent[Any]) -> bool:
    return any(each.output_guardrails for each in reachable(agent))


def judges_calls(agent: Agent[Any]) -> bool:
    """Whether output guardrails judge what a tool returned, because that may be the answer."""
    return any(
        each.output_guardrails and each.tool_use_behavior != "run_llm_again" for each in reachable(agent)
    )


def _contained(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    async def judge(*args: Any) -> Any:
        try:
            verdict = function(*args)
            return await verdict if inspect.isawaitable(verdict) else verdict
        except Exception:
            raise
        except BaseException as error:
            # SystemExit would end the server, and the SDK takes a cancellation for a verdict.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError from None
            raise RuntimeError("A guardrail broke off.") from error

    return judge
