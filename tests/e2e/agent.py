"""The agent of the end-to-end tests: that of `make dev`, with a tool that returns hostile markup."""

from agents import function_tool

from local.demo.agent import agent as demo
from local.demo.agent import mcp_servers

__all__ = ["agent", "mcp_servers"]


@function_tool
def fetch_a_page() -> str:
    """Return a hostile page."""
    return '<img src="https://evil.example/x.png" onerror="window.hacked = true">' + "<b>bold</b> " * 900


agent = demo.clone(tools=[*demo.tools, fetch_a_page])
