"""Ids of their own for what `chatkit.agents.stream_agent_response` streams.

It reuses the model's ids. Outside the Responses API, and with many a server that imitates it, these are not
unique: every message is `__fake_id__`, and each would be stored over the one before.
"""

from collections.abc import AsyncIterable, AsyncIterator, Callable

from chatkit.types import (
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
)

from parley.chatkit.items import message_id


async def fresh_ids(
    events: AsyncIterable[ThreadStreamEvent], make_id: Callable[[], str]
) -> AsyncIterator[ThreadStreamEvent]:
    """The events, each item under an id of its own. Ids that the store has made stay as they are.

    `make_id`: for example `lambda: store.generate_item_id("message", thread, context)`.
    """
    ids = _Ids(make_id)
    async for event in events:
        match event:
            case ThreadItemAddedEvent():
                yield ThreadItemAddedEvent(item=_renamed(event.item, ids.begin(event.item.id)))
            case ThreadItemUpdatedEvent():
                yield event.model_copy(update={"item_id": ids.newest(event.item_id)})
            case ThreadItemDoneEvent():
                yield ThreadItemDoneEvent(item=_renamed(event.item, ids.end(event.item.id)))
            case ThreadItemReplacedEvent():
                yield ThreadItemReplacedEvent(item=_renamed(event.item, ids.newest(event.item.id)))
            case ThreadItemRemovedEvent():
                for item_id in ids.every(event.item_id):
                    yield ThreadItemRemovedEvent(item_id=item_id)
            case _:
                yield event


class _Ids:
    """What was given for each of the model's ids, the newest last; `_open`: for items that are not done."""

    def __init__(self, make_id: Callable[[], str]) -> None:
        self._make_id = make_id
        self._given: dict[str, list[str]] = {}
        self._open: set[str] = set()

    def begin(self, item_id: str) -> str:
        if _made_by_the_store(item_id):
            return item_id
        fresh = self._make_id()
        self._given.setdefault(item_id, []).append(fresh)
        self._open.add(item_id)
        return fresh

    def end(self, item_id: str) -> str:
        """Of an item that comes whole, without having been begun, a new one."""
        if item_id not in self._open:
            self.begin(item_id)
        self._open.discard(item_id)
        return self.newest(item_id)

    def newest(self, item_id: str) -> str:
        return self.every(item_id)[-1]

    def every(self, item_id: str) -> list[str]:
        return self._given.get(item_id, [item_id])


def _made_by_the_store(item_id: str) -> bool:
    return message_id(item_id) is not None


def _renamed(item: ThreadItem, item_id: str) -> ThreadItem:
    # Not in place, where the SDK goes on comparing it with its own; and one that keeps its id stays the same.
    return item if item.id == item_id else item.model_copy(update={"id": item_id})
