"""Parley's messages as ChatKit's items.

A user's message is one item with its id. An assistant's is several: the answer, with the message's id; its
tool calls as a workflow, `{id}:tools`; how it ended, when it did not complete, `{id}:state`; what it said
before it was tried again in vain, `{id}:earlier`; and what it waits for: `{id}:{call_id}` for each client
tool and question, and one, with the id of the first of them, for all calls that need a person's approval.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    ClientToolCallItem,
    CustomSummary,
    CustomTask,
    InferenceOptions,
    StructuredInput,
    StructuredInputFreeform,
    StructuredInputItem,
    StructuredInputMultipleChoice,
    StructuredInputMultipleChoiceOption,
    TaskItem,
    ThreadItem,
    UserMessageItem,
    UserMessageTextContent,
    WidgetItem,
    Workflow,
    WorkflowItem,
)
from chatkit.widgets import DynamicWidgetRoot
from pydantic import TypeAdapter, ValidationError

from parley.models import Message
from parley.services.history import tool_calls
from parley.tools.client_tools import Kind, Questions

ANY_ITEM: TypeAdapter[ThreadItem] = TypeAdapter(ThreadItem)

TOOLS, STATE, EARLIER = "tools", "state", "earlier"
APPROVE, REJECT = "parley.approve", "parley.reject"
# Of a call's arguments and of its output, in characters: the built-in chat shows them whole.
MAX_TASK_TEXT = 1_000

_STATES = {
    "in_progress": "running",
    "completed": "done",
    "failed": "failed",
    "waiting_approval": "waiting for you",
    "rejected": "not made",
    "cancelled": "cancelled",
}
_NOTES = {
    "in_progress": "Still being written",
    "failed": "No answer",
    "cancelled": "Stopped",
    "interrupted": "Interrupted: please try again",
}


def item_id(message_id: uuid.UUID, part: str) -> str:
    return f"{message_id}:{part}"


def message_id(item: str) -> uuid.UUID | None:
    """The message that an item belongs to; None when it cannot be one of a message."""
    try:
        return uuid.UUID(item.partition(":")[0])
    except ValueError:
        return None


def items_of(
    message: Message, status: str, client_tools: Mapping[str, Kind], earlier: str | None = None
) -> list[ThreadItem]:
    """A message's items in the order in which they are shown. `status`: as of now.

    `earlier`: what the answer said before it was tried again, and failed.
    """
    if message.item is not None:
        return [ANY_ITEM.validate_python(message.item)]
    at = _place(message)
    if message.role == "user":
        return [
            UserMessageItem(
                id=str(message.id),
                content=[UserMessageTextContent(text=message.content)],
                inference_options=InferenceOptions(),
                **at,
            )
        ]
    calls = tool_calls(message.run_items, status)
    items: list[ThreadItem] = []
    if text := message.content or earlier:
        content = [AssistantMessageContent(text=text)]
        part = str(message.id) if message.content else item_id(message.id, EARLIER)
        items.append(AssistantMessageItem(id=part, content=content, **at))
    if calls:
        tools = WorkflowItem(id=item_id(message.id, TOOLS), workflow=workflow(calls), **at)
        items.insert(1 if _spoke_first(message) else 0, tools)
    if note := _note(message, status):
        items.append(TaskItem(id=item_id(message.id, STATE), task=CustomTask(title=note), **at))
    waiting = [call for call in calls if call["status"] == "waiting_approval"]
    return items + requests_of(message, waiting, client_tools)


def _spoke_first(message: Message) -> bool:
    """Whether the answer began with text, and not with a tool call."""
    kinds = (item.get("type", "message") for item in message.run_items or [])
    return next((kind for kind in kinds if kind in ("message", "function_call")), None) == "message"


def _note(message: Message, status: str) -> str | None:
    if status == "failed" and message.error:
        return f"No answer: {message.error['title']}"
    return _NOTES.get(status)


def workflow(calls: Sequence[Mapping[str, Any]]) -> Workflow:
    """Tool calls (api.messages.ToolCall) as a workflow, which has a summary when all of them have ended."""
    open_calls = [call for call in calls if call["status"] in ("in_progress", "waiting_approval")]
    names = list(dict.fromkeys(call["name"] for call in calls))
    summary = None if open_calls else CustomSummary(title=f"Used {', '.join(map(tool_title, names))}")
    return Workflow(type="custom", tasks=[task(call) for call in calls], summary=summary)


def task(call: Mapping[str, Any]) -> CustomTask:
    took = f", {call['duration_ms'] / 1000:.1f} s" if call.get("duration_ms") is not None else ""
    parts = [_fenced(call["arguments"])]
    if call.get("output") is not None:
        parts.append(_fenced(str(call["output"])))
    return CustomTask(
        title=f"{tool_title(call['name'])}: {_STATES[call['status']]}{took}",
        content="\n\n".join(parts),
        status_indicator="loading" if call["status"] == "in_progress" else "complete",
    )


def tool_title(name: str) -> str:
    return name.replace("_", " ").strip().capitalize()


def _fenced(text: str) -> str:
    """As code, so that nothing of what a tool was told or returned is taken for markup."""
    shown = text if len(text) <= MAX_TASK_TEXT else f"{text[:MAX_TASK_TEXT]} …"
    fence = "```"
    while fence in shown:
        fence += "`"
    return f"{fence}\n{shown}\n{fence}"


def _place(message: Message) -> dict[str, Any]:
    """`created_at` is not known of a message that has just been made."""
    return {
        "thread_id": str(message.conversation_id),
        "created_at": message.created_at or datetime.now(UTC),
    }


def requests_of(
    message: Message, calls: Sequence[Mapping[str, Any]], client_tools: Mapping[str, Kind]
) -> list[ThreadItem]:
    """What the user is asked about `calls`. ChatKit hands on one client tool at a time, as the last item."""
    at, answer_id = _place(message), message.id
    items: list[ThreadItem] = []
    to_approve = [call for call in calls if call["name"] not in client_tools]
    if to_approve:
        # An id of its own each time that the turn waits: what was asked before is not what is asked now.
        widget_id = item_id(answer_id, to_approve[0]["call_id"])
        items.append(WidgetItem(id=widget_id, widget=_approval(to_approve), **at))
    for call in calls:
        if client_tools.get(call["name"]) == "question":
            inputs = questions_of(call["arguments"])
            items.append(StructuredInputItem(id=item_id(answer_id, call["call_id"]), inputs=inputs, **at))
    pages = [call for call in calls if client_tools.get(call["name"]) == "client_tool"]
    for call in pages[:1]:
        items.append(
            ClientToolCallItem(
                id=item_id(answer_id, call["call_id"]),
                call_id=call["call_id"],
                name=call["name"],
                arguments=_arguments(call["arguments"]),
                **at,
            )
        )
    return items


def _approval(calls: Sequence[Mapping[str, Any]]) -> DynamicWidgetRoot:
    lines: list[dict[str, Any]] = []
    for call in calls:
        lines.append({"type": "Title", "value": f"{tool_title(call['name'])}?", "size": "sm"})
        lines.append({"type": "Text", "value": call["arguments"][:MAX_TASK_TEXT], "size": "sm"})
    return DynamicWidgetRoot.model_validate(
        {
            "type": "Card",
            "children": lines,
            "confirm": {"label": "Approve", "action": {"type": APPROVE}},
            "cancel": {"label": "Reject", "action": {"type": REJECT}},
        }
    )


def settled(widget: WidgetItem, *, approved: bool) -> WidgetItem:
    """The question for approval when it has been answered."""
    text = {"type": "Text", "value": "Approved" if approved else "Rejected", "size": "sm"}
    card = DynamicWidgetRoot.model_validate({"type": "Card", "children": [text]})
    return widget.model_copy(update={"widget": card})


def questions_of(arguments: str) -> list[StructuredInput]:
    """The questions, with their places in the list as ids; what the model wrote wrongly, as one question."""
    try:
        questions = Questions.model_validate_json(arguments).questions
    except ValidationError:
        return [StructuredInputFreeform(id="0", question=arguments[:MAX_TASK_TEXT])]
    return [
        StructuredInputMultipleChoice(
            id=str(place),
            question=asked.question,
            options=[StructuredInputMultipleChoiceOption(value=option) for option in asked.options],
            multiple=asked.multiple,
        )
        if asked.options
        else StructuredInputFreeform(id=str(place), question=asked.question)
        for place, asked in enumerate(questions)
    ]


def _arguments(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {}
