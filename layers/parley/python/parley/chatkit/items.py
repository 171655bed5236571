"""Parley's messages as ChatKit's items.

A user's message is one item, with the message's id. An assistant's message may be several:
- `{id}`: the answer's text,
- `{id}:tools`: its tool calls, as a workflow,
- `{id}:state`: how it ended, unless it completed and is whole,
- `{id}:earlier`: what the version before it said, where the newest one failed with no text,
- `{id}:{call_id}`: a client tool or a question that it waits for; one item, with the id of the first call,
  stands for all calls that need approval.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from chatkit import types
from chatkit.widgets import DynamicWidgetRoot
from pydantic import ValidationError

from parley.models import Message
from parley.models.tool_call import CallStatus, ToolCall, read_tool_calls
from parley.tools.client_tools import Kind, Questions

Item = TypeVar("Item", bound=types.ThreadItemBase)

TOOLS, STATE, EARLIER = "tools", "state", "earlier"
APPROVE, REJECT = "parley.approve", "parley.reject"
# What ChatKit shows of a call's arguments and of its output, in characters. The built-in chat shows all.
MAX_TASK_TEXT = 1_000

_STATES: dict[CallStatus, str] = {
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
CUT_OFF = "Cut off at the model's limit. Say “go on” for more"


def new_item(kind: type[Item], message: Message, part: str | None = None, **fields: Any) -> Item:
    """An item of `message`: all that it says, or a part of that."""
    # A message that was just made has no time yet: the database sets it.
    created_at = (message.created_at or datetime.now(UTC)).astimezone(UTC)
    id_ = item_id(message, part)
    return kind(id=id_, thread_id=str(message.conversation_id), created_at=created_at, **fields)


def item_id(message: Message, part: str | None = None) -> str:
    return f"{message.id}:{part}" if part else str(message.id)


def message_id(item: str) -> uuid.UUID | None:
    """The message that an item belongs to, None where the id is not of this form."""
    try:
        return uuid.UUID(item.partition(":")[0])
    except ValueError:
        return None


def message_items(
    message: Message, status: str, client_tools: Mapping[str, Kind], earlier: str | None = None
) -> list[types.ThreadItem]:
    """A message's items in the order in which they are shown.

    `status` is the message's, as of now. `earlier` is the text of the version before a failed answer.
    """
    if message.role == "user":
        said, options = [types.UserMessageTextContent(text=message.content)], types.InferenceOptions()
        return [new_item(types.UserMessageItem, message, content=said, inference_options=options)]
    calls = read_tool_calls(message.run_items, status)
    items: list[types.ThreadItem] = []
    if text := message.content or earlier:
        part = None if message.content else EARLIER
        content = [types.AssistantMessageContent(text=text)]
        items.append(new_item(types.AssistantMessageItem, message, part, content=content))
    if calls:
        items.insert(1 if _spoke_first(message) else 0, tools_item(message, calls))
    note = _NOTES.get(status)
    if status == "failed" and message.error:
        note = f"No answer: {message.error['title']}"
    if status == "completed" and message.incomplete:
        note = CUT_OFF
    if note:
        items.append(new_item(types.TaskItem, message, STATE, task=types.CustomTask(title=note)))
    waiting = [call for call in calls if call.status == "waiting_approval"]
    return items + _open_requests(message, waiting, client_tools)


def _spoke_first(message: Message) -> bool:
    """Whether the answer began with text, and not with a tool call."""
    kinds = (item.get("type", "message") for item in message.run_items or [])
    return next((kind for kind in kinds if kind in ("message", "function_call")), None) == "message"


def tools_item(message: Message, calls: Sequence[ToolCall]) -> types.WorkflowItem:
    """The message's tool calls as a workflow, with a summary when all of them have ended."""
    open_calls = [call for call in calls if call.status in ("in_progress", "waiting_approval")]
    names = list(dict.fromkeys(call.name for call in calls))
    summary = None if open_calls else types.CustomSummary(title=f"Used {', '.join(map(tool_title, names))}")
    workflow = types.Workflow(type="custom", tasks=[task(call) for call in calls], summary=summary)
    return new_item(types.WorkflowItem, message, TOOLS, workflow=workflow)


def task(call: ToolCall) -> types.CustomTask:
    took = f", {call.duration_ms / 1000:.1f} s" if call.duration_ms is not None else ""
    parts = [_fenced(call.arguments)]
    if call.output is not None:
        parts.append(_fenced(str(call.output)))
    return types.CustomTask(
        title=f"{tool_title(call.name)}: {_STATES[call.status]}{took}",
        content="\n\n".join(parts),
        status_indicator="loading" if call.status == "in_progress" else "complete",
    )


def tool_title(name: str) -> str:
    return name.replace("_", " ").strip().capitalize()


def _fenced(text: str) -> str:
    """As a code block, so that the page takes nothing in it for markup."""
    shown = text if len(text) <= MAX_TASK_TEXT else f"{text[:MAX_TASK_TEXT]} …"
    fence = "```"
    while fence in shown:
        fence += "`"
    return f"{fence}\n{shown}\n{fence}"


def _open_requests(
    message: Message, calls: Sequence[ToolCall], client_tools: Mapping[str, Kind]
) -> list[types.ThreadItem]:
    """What the user has to do about `calls`. ChatKit executes one client tool at a time: the last item."""
    by_kind = {
        kind: [call for call in calls if client_tools.get(call.name) == kind]
        for kind in (None, "question", "client_tool")
    }
    items: list[types.ThreadItem] = []
    if to_approve := by_kind[None]:
        items.append(_widget(message, to_approve[0].call_id, _approval(to_approve)))
    items += [question_item(message, call) for call in by_kind["question"]]
    for call in by_kind["client_tool"][:1]:
        fields = {"call_id": call.call_id, "name": call.name, "arguments": _arguments(call.arguments)}
        items.append(new_item(types.ClientToolCallItem, message, call.call_id, **fields))
    return items


def question_item(message: Message, call: ToolCall) -> types.StructuredInputItem:
    return new_item(types.StructuredInputItem, message, call.call_id, inputs=_questions(call.arguments))


def answered(
    item: types.StructuredInputItem, submission: types.StructuredInputSubmission
) -> types.StructuredInputItem:
    """`item` with the answers of `submission`, each of which fits its question."""
    given = {} if submission.status == "skipped" else submission.answers
    for question in item.inputs:
        answer = given.get(question.id)
        values = answer.values if answer and not answer.skipped else []
        if isinstance(question, types.StructuredInputMultipleChoice) and not question.multiple:
            values = values[:1]
        question.answer = types.StructuredInputAnswer(values=values, skipped=not values)
    return item.model_copy(update={"status": submission.status})


def _approval(calls: Sequence[ToolCall]) -> dict[str, Any]:
    lines: list[dict[str, Any]] = []
    for call in calls:
        lines.append({"type": "Title", "value": f"{tool_title(call.name)}?", "size": "sm"})
        lines.append({"type": "Text", "value": call.arguments[:MAX_TASK_TEXT], "size": "sm"})
    return {
        "type": "Card",
        "children": lines,
        "confirm": {"label": "Approve", "action": {"type": APPROVE}},
        "cancel": {"label": "Reject", "action": {"type": REJECT}},
    }


def settled_widget(message: Message, call_id: str, *, approved: bool) -> types.WidgetItem:
    """The widget once the user has decided."""
    text = {"type": "Text", "value": "Approved" if approved else "Rejected", "size": "sm"}
    return _widget(message, call_id, {"type": "Card", "children": [text]})


def _widget(message: Message, call_id: str, card: dict[str, Any]) -> types.WidgetItem:
    # The id differs each time that the turn waits, since the calls do.
    return new_item(types.WidgetItem, message, call_id, widget=DynamicWidgetRoot.model_validate(card))


def _questions(arguments: str) -> list[types.StructuredInput]:
    """The questions in a call's arguments, with their positions as ids. What is malformed is one question."""
    try:
        questions = Questions.model_validate_json(arguments).questions
    except ValidationError:
        return [types.StructuredInputFreeform(id="0", question=arguments[:MAX_TASK_TEXT])]
    return [
        types.StructuredInputMultipleChoice(
            id=str(place),
            question=question.question,
            options=[types.StructuredInputMultipleChoiceOption(value=option) for option in question.options],
            multiple=question.multiple,
        )
        if question.options
        else types.StructuredInputFreeform(id=str(place), question=question.question)
        for place, question in enumerate(questions)
    ]


def _arguments(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {}
