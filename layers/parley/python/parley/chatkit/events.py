"""A turn's events as ChatKit's, while it happens."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, assert_never

from chatkit.errors import CustomStreamError
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

from parley.chatkit.items import TOOLS, item_id, items_of, task, tool_title, workflow
from parley.errors import ProblemError
from parley.models import Message
from parley.services.agent_service import TextDelta, ToolProgress
from parley.services.history import tool_calls
from parley.services.turn_run import TurnCreated, TurnEnded, TurnEvent, with_pauses
from parley.tools.client_tools import Kind


class AnswerEvents:
    """Translates the events of one turn.

    `shown`: the items of the answer that the client has already, of a turn that goes on; `message` is that
    answer as it was.
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
        calls = tool_calls(message.run_items, message.status) if message else []
        self._calls = {call["call_id"]: call for call in calls}

    async def translate(self, events: AsyncIterator[TurnEvent]) -> AsyncIterator[ThreadStreamEvent]:
        """Raises CustomStreamError, which the SDK tells the client, when the turn did not complete."""
        for item in self._shown:
            if isinstance(item, WidgetItem):
                # It has been answered. Should the turn wait again, it comes again.
                yield ThreadItemRemovedEvent(item_id=item.id)
        async for event in with_pauses(events):
            for told in self._told(event):
                yield told
            if isinstance(event, TurnEnded) and event.problem:
                raise _stream_error(event.problem)

    def _told(self, event: TurnEvent | None) -> list[ThreadStreamEvent]:
        match event:
            case None:
                return [ProgressUpdateEvent(text="Still working …")]
            case TurnCreated():
                return []
            case TextDelta():
                return self._text(event.delta)
            case ToolProgress():
                return self._tool(event)
            case TurnEnded():
                return self._ended(event.message)
        assert_never(event)

    def _text(self, delta: str) -> list[ThreadStreamEvent]:
        told: list[ThreadStreamEvent] = []
        answer = str(self._answer_id)
        if answer not in self._there:
            self._there.add(answer)
            told.append(ThreadItemAddedEvent(item=AssistantMessageItem(id=answer, content=[], **self._at)))
            part = AssistantMessageContentPartAdded(content_index=0, content=AssistantMessageContent(text=""))
            told.append(ThreadItemUpdatedEvent(item_id=answer, update=part))
        more = AssistantMessageContentPartTextDelta(content_index=0, delta=delta)
        return [*told, ThreadItemUpdatedEvent(item_id=answer, update=more)]

    def _tool(self, progress: ToolProgress) -> list[ThreadStreamEvent]:
        told: list[ThreadStreamEvent] = []
        if progress.status == "in_progress":
            told.append(ProgressUpdateEvent(text=f"{tool_title(progress.name)} …"))
        is_new = progress.call_id not in self._calls
        self._calls[progress.call_id] = asdict(progress)
        tools = item_id(self._answer_id, TOOLS)
        item = WorkflowItem(id=tools, workflow=workflow([*self._calls.values()]), **self._at)
        place = [*self._calls].index(progress.call_id)
        shown = task(self._calls[progress.call_id])
        if tools not in self._there:
            self._there.add(tools)
            told.append(ThreadItemAddedEvent(item=item))
        elif self._shown:
            told.append(ThreadItemReplacedEvent(item=item))
        elif is_new:
            added = WorkflowTaskAdded(task_index=place, task=shown)
            told.append(ThreadItemUpdatedEvent(item_id=tools, update=added))
        else:
            updated = WorkflowTaskUpdated(task_index=place, task=shown)
            told.append(ThreadItemUpdatedEvent(item_id=tools, update=updated))
        return told

    def _ended(self, message: Message) -> list[ThreadStreamEvent]:
        """The items as they are stored. That it failed comes as an error, which has a button to retry."""
        before = {item.id for item in self._shown if not isinstance(item, WidgetItem)}
        return [
            ThreadItemReplacedEvent(item=item) if item.id in before else ThreadItemDoneEvent(item=item)
            for item in items_of(message, message.status, self._client_tools)
            if not (message.error and isinstance(item, TaskItem))
        ]


def _stream_error(problem: ProblemError) -> CustomStreamError:
    # What was refused, or is no longer there, would be so again.
    return CustomStreamError(problem.detail, allow_retry=problem.status >= 500)
