"""Every agent that handoffs lead to is changed, once, and the agents of the author are not."""

import gc
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from agents import Agent, FunctionTool, Handoff, RunContextWrapper, Tool, function_tool, handoff

from parley.tools.bounds import TIMEOUT_S, bounded
from parley.tools.client_tools import client_tool, client_tools
from parley.tools.handoffs import reachable

GRAPHS = 200


@pytest.fixture
def draw() -> random.Random:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    return random.Random(seed)


@function_tool
def idle() -> str:
    """Do nothing."""
    return ""


def drawn_graph(draw: random.Random) -> list[Agent[Any]]:
    """Agents that hand over to each other at random, also in circles. The first one begins."""
    agents = [
        Agent[Any](name=f"agent {number}", tools=cast("list[Tool]", [replace(idle, name=f"tool_{number}")]))
        for number in range(draw.randint(1, 6))
    ]
    kinds: list[Callable[[Agent[Any]], Any]] = [lambda target: target, handoff, custom]
    for agent in agents:
        targets = draw.choices(agents, k=draw.randint(0, 3))
        agent.handoffs = [draw.choice(kinds)(target) for target in targets]
    return agents


def custom(target: Agent[Any]) -> Handoff[Any, Agent[Any]]:
    """A Handoff that does not say beforehand where it leads."""

    async def invoke(_: RunContextWrapper[Any], __: str) -> Agent[Any]:
        return target

    return Handoff("go", "Go", {}, invoke, target.name)


def target(each: Agent[Any] | Handoff[Any, Any]) -> Agent[Any]:
    """Where a handoff leads when it happens."""
    if isinstance(each, Agent):
        return each
    happening = each.on_invoke_handoff(RunContextWrapper(None), "")
    try:
        happening.__await__().send(None)
    except StopIteration as done:
        return cast("Agent[Any]", done.value)
    raise AssertionError("a handoff of these waits for nothing")


def fingerprint(agents: list[Agent[Any]]) -> list[Any]:
    return [(id(each), [*map(id, each.tools)], [*map(id, each.handoffs)]) for each in agents]


def test_every_agent_has_the_bounds_of_the_first_and_no_original_changes(draw: random.Random) -> None:
    for _ in range(GRAPHS):
        originals = drawn_graph(draw)
        before = fingerprint(originals)
        pairs = [(originals[0], bounded(originals[0]))]
        # As a run goes: anywhere that handoffs lead, and a while round in circles.
        for original, copied in pairs:
            assert copied is not original
            assert (copied.name, len(copied.handoffs)) == (original.name, len(original.handoffs))
            (tool,) = copied.tools
            assert isinstance(tool, FunctionTool)
            assert (tool.name, tool.timeout_seconds) == (original.tools[0].name, TIMEOUT_S)
            if len(pairs) < 30:
                pairs += zip(map(target, original.handoffs), map(target, copied.handoffs), strict=True)
        assert fingerprint(originals) == before


def test_an_agent_is_copied_once(draw: random.Random) -> None:
    pairs = [(original, bounded(original)) for original in (drawn_graph(draw)[0] for _ in range(GRAPHS))]
    gc.collect()  # handoffs know their agents by weak references
    for original, copied in pairs:
        names = [each.name for each in reachable(copied)]
        assert names == [each.name for each in reachable(original)]
        assert len(set(names)) == len(names)


def test_client_tools_are_known_wherever_they_are() -> None:
    def agent(name: str, *handoffs: Any) -> Agent[Any]:
        return Agent(
            name=name, tools=[client_tool(f"open_{name}", "Open", {"type": "object"})], handoffs=[*handoffs]
        )

    last = agent("last")
    first = agent("first", handoff(agent("second", last)))
    last.handoffs.append(first)
    assert client_tools(first) == dict.fromkeys(["open_first", "open_second", "open_last"], "client_tool")
