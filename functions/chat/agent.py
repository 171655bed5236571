"""The agent. This file is all that you edit to make Parley yours. The four commonest changes:

1. Another character: change INSTRUCTIONS.
2. Another tool: write a function like `current_time` below and add it to `tools`. The model reads its return
   value, and its docstring to know when to use it. Declare a tool that does something irreversible with
   `@function_tool(needs_approval=True)`: the user has to approve each call.
3. Remote tools: declare an MCP server in `mcp_servers` below.
4. Another model: set OPENAI_MODEL, and for another provider OPENAI_BASE_URL and OPENAI_API.

A tool that acts for the user takes `context: RunContextWrapper[ApiClient]` as its first parameter and calls
the API as that user: `await context.context.get("/conversations")`. It has to leave out what is marked as
withheld from models. See parley/tools/conversations.py.
"""

import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agents import (
    Agent,
    GuardrailFunctionOutput,
    RunContextWrapper,
    TResponseInputItem,
    function_tool,
    input_guardrail,
)

from parley.tools.for_agents import conversation_tools
from parley.tools.remote import RemoteServer

INSTRUCTIONS = """\
You are a helpful assistant in a chat. Answer in the language of the question, briefly first and in detail
when asked. Use Markdown where it helps: lists, tables, code with its language named. Say so when you do not
know something.

You can look into the user's earlier conversations with your tools. Do so when they refer to something that
was said before and that you do not see.
"""


@function_tool
def current_time(timezone: str) -> str:
    """Tell the current date and time.

    Args:
        timezone: An IANA time zone, such as Europe/Berlin; UTC when the user's is not known.
    """
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return f"There is no time zone {timezone}."
    return datetime.now(UTC).astimezone(zone).strftime("%A, %d %B %Y, %H:%M %Z")


PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b")


@input_guardrail(run_in_parallel=False)
def no_private_keys(
    _context: RunContextWrapper[Any], _agent: Agent[Any], given: str | list[TResponseInputItem]
) -> GuardrailFunctionOutput:
    """Refuse a message that holds a private key, before the model sees it."""
    latest = given if isinstance(given, str) else str(given[-1].get("content"))
    return GuardrailFunctionOutput(
        output_info="Your message holds a private key. It was not sent to the model; replace the key.",
        tripwire_triggered=PRIVATE_KEY.search(latest) is not None,
    )


agent = Agent(
    name="Parley",
    instructions=INSTRUCTIONS,
    tools=[current_time, *conversation_tools],
    input_guardrails=[no_private_keys],
)

# True: no text is shown before the agent's `output_guardrails` have let the answer pass. Otherwise people may
# have read an answer that is then refused.
hold_answers = False

# False: the agent does not read what users have told Parley about how they want to be answered.
user_instructions = True

# MCP servers whose tools the agent may use too, such as
#     RemoteServer("docs", "https://docs.example.com/mcp", ["search"], secret=read_secret("DOCS_TOKEN"))
# with `from parley.config import read_secret`. What each of the settings means: parley/tools/remote.py.
mcp_servers: list[RemoteServer] = []
