"""A turn's events as ChatKit's events, while the turn runs."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, assert_never

from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ProgressUpdateEvent,
    TaskItem,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
    WidgetItem,
    WorkflowItem,
    WorkflowTaskAdded,
    WorkflowTaskUpdated,
)

from parley.chatkit.items import TOOLS, item_id, message_items, task, tool_title, workflow
from parley.models import Message
from parley.models.tool_call import ToolCall, read_tool_calls
from parley.services.agent_service import TextDelta
from parley.services.running_turn import TurnCreated, TurnEnded, TurnEvent
from parley.tools.client_tools import Kind


class AnswerEvents:
    """Translates the events of one turn.

    Of a waiting turn that continues, `message` is the answer as it was stored, and `shown` holds those of its
    items that the client already has.
    """

    def __init__(
        self,
        created: TurnCreated,
        client_tools: Mapping[str, Kind],
        message: Message | None = None,
        shown: Sequence[ThreadItem] = (),
    ) -> None:
        self._answer_id = created.message_id
        self._client_tools = client_tools
        self._at: dict[str, Any] = {
            "thread_id": str(created.conversation_id),
            "created_at": datetime.now(UTC),
        }
        self._shown = shown
        self._there = {item.id for item in shown}
        calls = read_tool_calls(message.run_items, message.status) if message else []
        self._calls = {call.call_id: call for call in calls}

    def start(self) -> list[ThreadStreamEvent]:
        """Remove the widgets that the user has decided about. If the turn waits again, it sends a new one."""
        return [
            ThreadItemRemovedEvent(item_id=item.id) for item in self._shown if isinstance(item, WidgetItem)
        ]

    def translate(self, event: TurnEvent | None) -> list[ThreadStreamEvent]:
        """The events for one of the turn's, or for None, when nothing has happened for a while."""
        match event:
            case None:
                return [ProgressUpdateEvent(text="Still working …")]
            case TurnCreated():
                return []
            case TextDelta():
                return self._text(event.delta)
            case ToolCall():
                return self._tool(event)
            case TurnEnded():
                return self._ended(event.message)
        assert_never(event)

    def _text(self, delta: str) -> list[ThreadStreamEvent]:
        events: list[ThreadStreamEvent] = []
        answer = str(self._answer_id)
        if answer not in self._there:
            self._there.add(answer)
            events.append(ThreadItemAddedEvent(item=AssistantMessageItem(id=answer, content=[], **self._at)))
            part = AssistantMessageContentPartAdded(content_index=0, content=AssistantMessageContent(text=""))
            events.append(ThreadItemUpdatedEvent(item_id=answer, update=part))
        more = AssistantMessageContentPartTextDelta(content_index=0, delta=delta)
        return [*events, ThreadItemUpdatedEvent(item_id=answer, update=more)]

    def _tool(self, call: ToolCall) -> list[ThreadStreamEvent]:
        events: list[ThreadStreamEvent] = []
        if call.status == "in_progress":
            events.append(ProgressUpdateEvent(text=f"{tool_title(call.name)} …"))
        is_new = call.call_id not in self._calls
        self._calls[call.call_id] = call
        tools = item_id(self._answer_id, TOOLS)
        item = WorkflowItem(id=tools, workflow=workflow([*self._calls.values()]), **self._at)
        place = [*self._calls].index(call.call_id)
        shown = task(call)
        if tools not in self._there:
            self._there.add(tools)
            events.append(ThreadItemAddedEvent(item=item))
        elif self._shown:
            events.append(ThreadItemReplacedEvent(item=item))
        elif is_new:
            added = WorkflowTaskAdded(task_index=place, task=shown)
            events.append(ThreadItemUpdatedEvent(item_id=tools, update=added))
        else:
            updated = WorkflowTaskUpdated(task_index=place, task=shown)
            events.append(ThreadItemUpdatedEvent(item_id=tools, update=updated))
        return events

    def _ended(self, message: Message) -> list[ThreadStreamEvent]:
        """The items as they are stored. Not the note of a failure, which comes as an error with a retry."""
        before = {item.id for item in self._shown if not isinstance(item, WidgetItem)}
        return [
            ThreadItemReplacedEvent(item=item) if item.id in before else ThreadItemDoneEvent(item=item)
            for item in message_items(message, message.status, self._client_tools)
            if not (message.error and isinstance(item, TaskItem))
        ]
