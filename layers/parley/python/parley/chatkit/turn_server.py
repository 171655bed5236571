"""The SDK's server for one turn that has begun: it streams the turn's events and stores nothing."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

from chatkit.actions import Action
from chatkit.server import ChatKitServer
from chatkit.store import StoreItemType
from chatkit.types import (
    Page,
    SyncCustomActionResponse,
    Thread,
    ThreadItem,
    ThreadMetadata,
    ThreadStreamEvent,
    WidgetItem,
)

from parley.chatkit.items import APPROVE, settled
from parley.chatkit.partial_store import PartialStore
from parley.services.running_turn import TurnCreated, TurnEnded, TurnEvent


class TurnServer(ChatKitServer[None]):
    """`items`: what the SDK looks for in the thread. It reads either `events` or, as ChatKit's, `stream`."""

    def __init__(
        self,
        created: TurnCreated,
        items: Sequence[ThreadItem],
        events: AsyncIterator[TurnEvent],
        stream: AsyncIterator[ThreadStreamEvent],
    ) -> None:
        super().__init__(_TurnStore(created, items))
        self._events = events
        self._stream = stream

    def respond(self, *_: Any) -> AsyncIterator[ThreadStreamEvent]:
        return self._stream

    def action(self, *_: Any) -> AsyncIterator[ThreadStreamEvent]:
        return self._stream

    async def sync_action(
        self, thread: ThreadMetadata, action: Action[str, Any], sender: WidgetItem | None, context: None
    ) -> SyncCustomActionResponse:
        """Wait for the turn's end before replying: after the reply, Lambda freezes the process."""
        async for event in self._events:
            if isinstance(event, TurnEnded) and event.problem:
                raise event.problem
        assert sender is not None  # noqa: S101 (plans.py)
        return SyncCustomActionResponse(updated_item=settled(sender, approved=action.type == APPROVE))

    def _to_thread_response(self, thread: ThreadMetadata | Thread) -> Thread:
        # This private method is the only place to give a new thread's local time its zone: the SDK sends the
        # thread before it calls anything else.
        thread.created_at = thread.created_at.astimezone(UTC)
        return super()._to_thread_response(thread)

    async def handle_stream_cancelled(self, *_: Any, **__: Any) -> None:
        """A client that goes away does not stop the turn."""


class _TurnStore(PartialStore[None]):
    """The thread as the SDK has to see it during a turn. It keeps nothing, because the turn stores itself."""

    def __init__(self, created: TurnCreated, items: Sequence[ThreadItem]) -> None:
        self._created = created
        self._items = list(items)

    def generate_thread_id(self, context: None) -> str:
        return str(self._created.conversation_id)

    def generate_item_id(self, item_type: StoreItemType, thread: ThreadMetadata, context: None) -> str:
        return str(self._created.user_message_id)

    async def load_thread(self, *_: Any, **__: Any) -> ThreadMetadata:
        return ThreadMetadata(id=str(self._created.conversation_id), created_at=datetime.now(UTC))

    async def load_thread_items(self, *_: Any, **__: Any) -> Page[ThreadItem]:
        return Page(data=self._items)

    async def load_item(self, thread_id: str, item_id: str, context: None) -> ThreadItem:
        return next(item for item in self._items if item.id == item_id)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: None) -> None:
        # The SDK makes local times without a zone, and sends this item to the client next.
        item.created_at = item.created_at.astimezone(UTC)

    async def save_thread(self, *_: Any, **__: Any) -> None: ...

    async def save_item(self, *_: Any, **__: Any) -> None: ...

    async def delete_thread_item(self, *_: Any, **__: Any) -> None: ...
