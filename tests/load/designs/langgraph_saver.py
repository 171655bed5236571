"""LangGraph with its PostgresSaver, as in its documentation. The model node calls the offline model."""

import operator
from typing import Annotated, Any, TypedDict

import openai
import psycopg
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.graph import END, START, StateGraph

from tests.load.conversations import INSTRUCTIONS, messages, roles
from tests.load.designs.agent import MODEL

TOOL = {
    "type": "function",
    "name": "page_count",
    "description": "How many pages a book has.",
    "parameters": {
        "type": "object",
        "properties": {"book": {"type": "string"}},
        "required": ["book"],
        "additionalProperties": False,
    },
    "strict": True,
}


class State(TypedDict):
    messages: Annotated[list[dict[str, Any]], operator.add]


class Design:
    def __init__(self, url: str, direct_url: str, model_url: str, **_: Any) -> None:
        self._url, self._direct_url = url, direct_url
        self._client = openai.OpenAI(api_key="offline", base_url=f"{model_url}/v1", max_retries=1)

    def prepare(self) -> None:
        self._context = PostgresSaver.from_conn_string(self._url)
        saver = self._context.__enter__()
        saver.setup()
        builder = StateGraph(State)
        builder.add_node("model", self._ask_model)
        builder.add_node("tools", _use_tools)
        builder.add_edge(START, "model")
        builder.add_conditional_edges("model", _wants_tools, ["tools", END])
        builder.add_edge("tools", "model")
        self._graph = builder.compile(saver)

    def seed(self, conversation: str, count: int) -> None:
        # LangGraph writes its own blobs: one checkpoint that holds all messages.
        pairs = zip(roles(count), messages(count), strict=True)
        items = [{"role": role, "content": content} for role, content in pairs]
        self._graph.update_state(_config(conversation), {"messages": items}, as_node="model")

    def turn(self, conversation: str, text: str) -> str:
        said = {"messages": [{"role": "user", "content": text}]}
        state = self._graph.invoke(said, _config(conversation))
        return str(state["messages"][-1]["content"])

    def engine(self) -> None:
        self._probe: psycopg.Connection | None = None

    def connect(self) -> None:
        # The same options as from_conn_string.
        self._probe = self._probe or psycopg.connect(self._url, autocommit=True, prepare_threshold=0)
        self._probe.execute("select 1")

    def disconnect(self) -> None:
        assert self._probe
        self._probe.close()

    def _ask_model(self, state: State) -> dict[str, Any]:
        reply = self._client.responses.create(
            model=MODEL,
            instructions=INSTRUCTIONS,
            input=state["messages"],  # type: ignore[arg-type]
            tools=[TOOL],  # type: ignore[list-item]
            store=False,
        )
        calls = [item.model_dump(exclude_none=True) for item in reply.output if item.type == "function_call"]
        return {"messages": calls or [{"role": "assistant", "content": reply.output_text}]}


def _config(conversation: str) -> Any:
    return {"configurable": {"thread_id": conversation}}


def _wants_tools(state: State) -> str:
    return "tools" if state["messages"][-1].get("type") == "function_call" else END


def _use_tools(state: State) -> dict[str, Any]:
    answered = {item["call_id"] for item in state["messages"] if item.get("type") == "function_call_output"}
    calls = [item for item in state["messages"] if item.get("type") == "function_call"]
    return {
        "messages": [
            {"type": "function_call_output", "call_id": call["call_id"], "output": "1"}
            for call in calls
            if call["call_id"] not in answered
        ]
    }
