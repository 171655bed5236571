"""The agent in functions/chat/agent.py, with tools that need approval, ask, take time, and fail."""

import asyncio
from typing import Any

from agents import function_tool

from functions.chat.agent import *  # noqa: F403 (whatever else it declares)
from functions.chat.agent import agent as forked
from parley.tools.client_tools import ask_user, client_tool


@function_tool(needs_approval=True)
def send_postcard(to: str, text: str) -> str:
    """Send a postcard."""
    return f"The postcard to {to} is on its way."


@function_tool
async def take_a_nap(seconds: float) -> str:
    """Rest for a while."""
    await asyncio.sleep(seconds)
    return f"Rested {seconds:g} s."


@function_tool
def break_down() -> str:
    """Fail."""
    raise RuntimeError("the wheel came off")


REASON: dict[str, Any] = {
    "type": "object",
    "properties": {"reason": {"type": "string"}},
    "required": ["reason"],
}
pick_a_day = client_tool("pick_a_day", "Open a calendar on the user's page, to pick a day.", REASON)

demo_tools = [send_postcard, take_a_nap, break_down, pick_a_day, ask_user]
agent = forked.clone(tools=[*forked.tools, *demo_tools])
