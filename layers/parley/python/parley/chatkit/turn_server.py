"""The SDK's server for one turn that has begun: it tells the client of it, and keeps nothing."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

from chatkit.actions import Action
from chatkit.server import ChatKitServer
from chatkit.store import Store, StoreItemType
from chatkit.types import (
    Attachment,
    Page,
    SyncCustomActionResponse,
    Thread,
    ThreadItem,
    ThreadMetadata,
    ThreadStreamEvent,
    WidgetItem,
)

from parley.chatkit.items import APPROVE, settled
from parley.services.turn_run import TurnCreated, TurnEnded, TurnEvent


class TurnServer(ChatKitServer[None]):
    """`items`: what the SDK looks for in the thread. `told`: `events` as ChatKit's; one of both is read."""

    def __init__(
        self,
        created: TurnCreated,
        items: Sequence[ThreadItem],
        events: AsyncIterator[TurnEvent],
        told: AsyncIterator[ThreadStreamEvent],
    ) -> None:
        super().__init__(_TurnStore(created, items))
        self._events = events
        self._told = told

    def respond(self, *_: Any) -> AsyncIterator[ThreadStreamEvent]:
        return self._told

    def action(self, *_: Any) -> AsyncIterator[ThreadStreamEvent]:
        return self._told

    async def sync_action(
        self, thread: ThreadMetadata, action: Action[str, Any], sender: WidgetItem | None, context: None
    ) -> SyncCustomActionResponse:
        """Lets the turn end first: Lambda would freeze it."""
        async for event in self._events:
            if isinstance(event, TurnEnded) and event.problem:
                raise event.problem
        assert sender is not None  # noqa: S101 (plans.py)
        return SyncCustomActionResponse(updated_item=settled(sender, approved=action.type == APPROVE))

    def _to_thread_response(self, thread: ThreadMetadata | Thread) -> Thread:
        # The SDK's own method, and private: it tells of a new thread's time, a local one without a zone,
        # before anything else of it is called.
        thread.created_at = thread.created_at.astimezone(UTC)
        return super()._to_thread_response(thread)

    async def handle_stream_cancelled(self, *_: Any, **__: Any) -> None:
        """A client that goes away does not stop the turn, which stores itself."""


class _TurnStore(Store[None]):
    """The thread as the SDK has to see it during a turn. Keeps nothing: the turn does."""

    def __init__(self, created: TurnCreated, items: Sequence[ThreadItem]) -> None:
        self._created = created
        self._items = list(items)

    def generate_thread_id(self, context: None) -> str:
        return str(self._created.conversation_id)

    def generate_item_id(self, item_type: StoreItemType, thread: ThreadMetadata, context: None) -> str:
        return str(self._created.user_message_id)

    async def load_thread(self, thread_id: str, context: None) -> ThreadMetadata:
        return ThreadMetadata(id=str(self._created.conversation_id), created_at=datetime.now(UTC))

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: None
    ) -> Page[ThreadItem]:
        return Page(data=self._items)

    async def load_item(self, thread_id: str, item_id: str, context: None) -> ThreadItem:
        return next(item for item in self._items if item.id == item_id)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: None) -> None:
        # The SDK makes local times without a zone, and sends this item to the client next.
        item.created_at = item.created_at.astimezone(UTC)

    async def save_thread(self, *_: Any, **__: Any) -> None: ...

    async def save_item(self, *_: Any, **__: Any) -> None: ...

    async def delete_thread_item(self, *_: Any, **__: Any) -> None: ...

    async def load_threads(self, *_: Any, **__: Any) -> Page[ThreadMetadata]:
        raise NotImplementedError

    async def delete_thread(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError

    async def save_attachment(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError

    async def load_attachment(self, *_: Any, **__: Any) -> Attachment:
        raise NotImplementedError

    async def delete_attachment(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError
