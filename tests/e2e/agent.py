"""The agent of the end-to-end tests: the one in functions/chat/agent.py, with tools that need approval, fail,
take time, and return hostile markup.
"""

import asyncio

from agents import function_tool

from functions.chat.agent import agent as forked
from functions.chat.agent import mcp_servers

__all__ = ["agent", "mcp_servers"]


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


@function_tool
def fetch_a_page() -> str:
    """Return a hostile page."""
    return '<img src="https://evil.example/x.png" onerror="window.hacked = true">' + "<b>bold</b> " * 900


_own = [send_postcard, take_a_nap, break_down, fetch_a_page]
agent = forked.clone(tools=[*forked.tools, *_own])
