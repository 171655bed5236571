"""Tools that the user's page executes, or that the user answers. The turn waits for the output.

ChatKit shows them as client tools and as structured input. The built-in chat offers to approve or reject them
like any other call; a call that is approved there has no output.
"""

from dataclasses import dataclass
from typing import Any, Literal

from agents import Agent, FunctionTool
from agents.tool_context import ToolContext
from pydantic import BaseModel, Field

from parley.tools.api_client import ApiClient, ToolFailure
from parley.tools.handoffs import reachable, used_as_tools

Kind = Literal["client_tool", "question"]


@dataclass
class ClientTool(FunctionTool):
    """A tool whose output comes from the user's page, or is the user's answer."""

    kind: Kind = "client_tool"


def client_tools(agent: Agent[Any]) -> dict[str, Kind]:
    """The tools that wait for something other than approval, by name: of all agents that may have a part."""
    agents = [inner for each in reachable(agent) for inner in [each, *used_as_tools(each.tools)]]
    tools = [tool for each in agents for tool in each.tools]
    return {tool.name: tool.kind for tool in tools if isinstance(tool, ClientTool)}


def client_tool(
    name: str, description: str, parameters: dict[str, Any], kind: Kind = "client_tool"
) -> ClientTool:
    """A tool for ChatKit's `onClientTool`. `parameters`: a JSON schema of the arguments."""
    return ClientTool(
        name=name,
        description=description,
        params_json_schema=parameters,
        on_invoke_tool=_output,
        strict_json_schema=False,
        needs_approval=True,
        kind=kind,
    )


async def _output(context: ToolContext[ApiClient], _arguments: str) -> str:
    answer = context.context.answers.get(context.tool_call_id)
    return ToolFailure("This could not be done where the user is.") if answer is None else answer


class Question(BaseModel, extra="forbid"):
    question: str
    options: list[str] = Field(description="What to choose from; empty when the user is to write freely")
    multiple: bool = Field(description="Whether more than one option may be chosen")


class Questions(BaseModel, extra="forbid"):
    questions: list[Question] = Field(min_length=1, max_length=5)


ask_user = client_tool(
    "ask_user",
    "Ask the user one or more questions and wait for the answers. Use it when you cannot go on without "
    "knowing, and the answer is likely one of a few.",
    Questions.model_json_schema(),
    kind="question",
)
