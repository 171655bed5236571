"""The limits of tools: whatever a tool returns can be stored, and has its bound."""

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from agents import Agent, FunctionTool, ToolOutputImage, ToolOutputText, function_tool
from agents.tool_context import ToolContext
from pydantic import BaseModel

from parley.text import beginning, json_size
from parley.tools.api_client import ToolFailure
from parley.tools.bounds import CUT_OFF, MAX_OUTPUT, bounded

CHARACTERS = ["a", "é", "漢", "😀", "\n", '"', "\\", "\x01", "\x7f", "\u2028", "\x00", "\ud83d", "\ude00"]


class Numbers(BaseModel):
    name: str
    values: list[Any]


def output_of(returned: Any) -> Any:
    async def invoke(_context: ToolContext[Any], _arguments: str) -> Any:
        return returned

    agent = bounded(Agent[Any](name="A", tools=[FunctionTool("speak", "Speak", {}, invoke)]))
    tool = agent.tools[0]
    assert isinstance(tool, FunctionTool)
    context = ToolContext(None, tool_name="speak", tool_call_id="c", tool_arguments="{}")

    async def call() -> Any:
        return await tool.on_invoke_tool(context, "{}")

    return asyncio.run(call())


def drawn(draw: random.Random, depth: int = 3) -> Any:
    text = "".join(draw.choices(draw.choices(CHARACTERS, k=3), k=draw.choice((0, 3, 5_000, 40_000))))
    kinds: dict[str, Callable[[], Any]] = {
        "text": lambda: text,
        "failure": lambda: ToolFailure(text),
        "content": lambda: ToolOutputText(text=text),
        "picture": lambda: ToolOutputImage(image_url=text),
        "model": lambda: Numbers(name=text, values=[text, 7]),
        "anything": lambda: draw.choice([None, 7, 1e400, float("nan"), b"\x00", {1, 2}, ("\x00",), object()]),
        "list": lambda: [drawn(draw, depth - 1) for _ in range(draw.randrange(4))],
        "dict": lambda: {text[:50]: drawn(draw, depth - 1), "type": "text"},
    }
    return kinds[draw.choice(list(kinds)[: None if depth else 6])]()


def test_whatever_a_tool_returns_can_be_stored_and_has_its_bound() -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    draw = random.Random(seed)
    for _ in range(300):
        returned = drawn(draw)
        output = output_of(returned)
        text = str(output)
        assert isinstance(output, ToolFailure) == isinstance(returned, ToolFailure)
        assert "\x00" not in text
        text.encode()
        assert json_size(text) <= MAX_OUTPUT + json_size(CUT_OFF)


@pytest.mark.parametrize("character", CHARACTERS[:-3])
def test_as_much_as_has_room_is_kept(character: str) -> None:
    output = output_of(character * 30_000)
    kept = output.removesuffix(CUT_OFF)
    assert kept == character * len(kept)
    assert json_size(kept) <= MAX_OUTPUT < json_size(kept + character)
    assert output_of(kept) == kept


@pytest.mark.parametrize("room", range(15))
def test_the_beginning_of_a_text_fits_into_its_room(room: int) -> None:
    for text in ("", "a", "aaaaaaaaaaaa", "é" * 9, "\x01" * 9, "a\x01" * 9, '"""""""""'):
        kept = beginning(text, room)
        assert text.startswith(kept)
        assert kept == "" or json_size(kept) <= room
        assert len(kept) == len(text) or json_size(text[: len(kept) + 1]) > room
        assert json_size(kept) == len(json.dumps(kept, ensure_ascii=False).encode())


@function_tool
def speak() -> str:
    """Speak."""
    return "\x00"


def test_an_agent_that_is_its_own_tool_is_bounded_once() -> None:
    agent = Agent[Any](name="A", tools=[speak])
    agent.tools.append(agent.as_tool("ask", "Ask"))
    twice = bounded(bounded(agent))
    assert [tool.name for tool in twice.tools] == ["speak", "ask"]
    assert bounded(twice).tools == twice.tools
    assert agent.tools[0] is not speak, "the tools of an agent that is used as a tool are bounded in place"
