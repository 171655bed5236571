"""An agent together with those that it may hand the conversation to, directly or through others.

And with those that it uses as tools.
"""

import weakref
from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

from agents import Agent, Handoff, RunContextWrapper, Tool

AnyHandoff = Agent[Any] | Handoff[Any, Agent[Any]]
Change = Callable[[list[Tool]], list[Tool]]


def reachable(agent: Agent[Any]) -> Iterator[Agent[Any]]:
    """`agent`, and every agent that handoffs lead to, each once.

    A Handoff that was not made by `handoff()` names its agent only when it happens, so it is not followed.
    """
    found = [agent]
    for each in found:
        yield each
        for target in map(_target, each.handoffs):
            # Agents are compared by their fields, and these may lead in a circle.
            if target is not None and not any(target is known for known in found):
                found.append(target)


def used_as_tools(tools: list[Tool]) -> list[Agent[Any]]:
    """The agents that are among `tools`, and those that have a part in their runs, each once."""
    found: list[Agent[Any]] = []
    waiting = [*tools]
    while waiting:
        inner = getattr(waiting.pop(), "_agent_instance", None)
        for each in reachable(inner) if isinstance(inner, Agent) else ():
            if not any(each is known for known in found):
                found.append(each)
                waiting += each.tools
    return found


def with_tools(agent: Agent[Any], change: Change) -> Agent[Any]:
    """A copy of `agent`, and of every agent that handoffs lead to, with their tools changed."""
    return _Copies(change).of(agent)


class _Copies:
    """One copy of each agent, so that handoffs in a circle come back to the same one."""

    def __init__(self, change: Change) -> None:
        self._change = change
        # By the original's id. The original is kept, because the id of a lost object is used again.
        self._made: dict[int, tuple[Agent[Any], Agent[Any]]] = {}

    def of(self, agent: Agent[Any]) -> Agent[Any]:
        if id(agent) in self._made:
            return self._made[id(agent)][1]
        made = agent.clone(tools=self._change(agent.tools))
        self._made[id(agent)] = agent, made
        made.handoffs = [self._handoff(each) for each in agent.handoffs]
        return made

    def _handoff(self, handoff: AnyHandoff) -> AnyHandoff:
        if isinstance(handoff, Agent):
            return self.of(handoff)

        async def invoke(context: RunContextWrapper[Any], arguments: str) -> Agent[Any]:
            target = await handoff.on_invoke_handoff(context, arguments)
            # An agent that was not known before may have been made for this run alone.
            return self.of(target) if id(target) in self._made else with_tools(target, self._change)

        made = copy(handoff)
        made.on_invoke_handoff = invoke
        if (target := _target(handoff)) is not None:
            # The SDK finds the agent of a run that waits for approval by this.
            made._agent_ref = weakref.ref(self.of(target))
        return made


def _target(handoff: AnyHandoff) -> Agent[Any] | None:
    if isinstance(handoff, Agent):
        return handoff
    target = handoff._agent_ref() if handoff._agent_ref is not None else None
    return target if isinstance(target, Agent) else None
