"""A turn's events as ChatKit's events, while the turn runs."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, assert_never

from chatkit import types

from parley.chatkit.items import item_id, message_items, new_item, task, tool_title, tools_item
from parley.models import Message
from parley.models.tool_call import ToolCall, read_tool_calls
from parley.services.agent_service import TextDelta
from parley.services.running_turn import TurnCreated, TurnEnded, TurnEvent
from parley.tools.client_tools import Kind


class AnswerEvents:
    """Translates the events of one turn. `waiting`: the stored answer, if it waited and continues."""

    def __init__(
        self, created: TurnCreated, client_tools: Mapping[str, Kind], waiting: Message | None = None
    ) -> None:
        # What is known of the answer before it is stored, and enough to make items.
        known: dict[str, Any] = {"id": created.message_id, "conversation_id": created.conversation_id}
        self._message = Message(**known, created_at=datetime.now(UTC))
        self._client_tools = client_tools
        shown = message_items(waiting, waiting.status, client_tools) if waiting else []
        self._shown_before = {item.id for item in shown}
        self._shown = set(self._shown_before)
        calls = read_tool_calls(waiting.run_items, waiting.status) if waiting else []
        self._calls = {call.call_id: call for call in calls}

    def translate(self, event: TurnEvent | None) -> list[types.ThreadStreamEvent]:
        """The events for one of the turn's, or for None, when nothing has happened for a while."""
        match event:
            case None:
                return [types.ProgressUpdateEvent(text="Still working …")]
            case TurnCreated():
                return []
            case TextDelta():
                return self._text(event.delta)
            case ToolCall():
                return self._tool(event)
            case TurnEnded():
                return self._ended(event.message)
        assert_never(event)

    def _text(self, delta: str) -> list[types.ThreadStreamEvent]:
        events: list[types.ThreadStreamEvent] = []
        answer = item_id(self._message)
        if answer not in self._shown:
            self._shown.add(answer)
            item = new_item(types.AssistantMessageItem, self._message, content=[])
            empty = types.AssistantMessageContent(text="")
            part = types.AssistantMessageContentPartAdded(content_index=0, content=empty)
            events.append(types.ThreadItemAddedEvent(item=item))
            events.append(types.ThreadItemUpdatedEvent(item_id=answer, update=part))
        more = types.AssistantMessageContentPartTextDelta(content_index=0, delta=delta)
        return [*events, types.ThreadItemUpdatedEvent(item_id=answer, update=more)]

    def _tool(self, call: ToolCall) -> list[types.ThreadStreamEvent]:
        events: list[types.ThreadStreamEvent] = []
        if call.status == "in_progress":
            events.append(types.ProgressUpdateEvent(text=f"{tool_title(call.name)} …"))
        change = types.WorkflowTaskUpdated if call.call_id in self._calls else types.WorkflowTaskAdded
        self._calls[call.call_id] = call
        item = tools_item(self._message, [*self._calls.values()])
        if item.id not in self._shown:
            self._shown.add(item.id)
            events.append(types.ThreadItemAddedEvent(item=item))
        elif self._shown_before:
            events.append(types.ThreadItemReplacedEvent(item=item))
        else:
            place = [*self._calls].index(call.call_id)
            update = change(task_index=place, task=task(call))
            events.append(types.ThreadItemUpdatedEvent(item_id=item.id, update=update))
        return events

    def _ended(self, message: Message) -> list[types.ThreadStreamEvent]:
        """The items as they are stored. Not the note of a failure, which comes as an error with a retry."""
        return [
            types.ThreadItemReplacedEvent(item=item)
            if item.id in self._shown_before
            else types.ThreadItemDoneEvent(item=item)
            for item in message_items(message, message.status, self._client_tools)
            if not (message.error and isinstance(item, types.TaskItem))
        ]
