"""ChatKit's Store on Postgres: threads are conversations, and messages are the built-in chat's too.

Of any ChatKit server, Parley's own or another: `docs/chatkit-store.md`. Each call is one statement, atomic by
itself and so right behind a transaction pooler, and one round trip.
"""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol

from chatkit.store import NotFoundError, Store, StoreItemType
from chatkit.types import (
    AssistantMessageItem,
    Attachment,
    FeedbackKind,
    Page,
    ThreadItem,
    ThreadMetadata,
    UserMessageItem,
    WorkflowItem,
)
from pydantic import TypeAdapter
from typing_extensions import TypeVar

from parley.chatkit.items import ANY_ITEM, items_of, message_id
from parley.database import Database
from parley.ids import new_id
from parley.repositories import attachments, conversations, messages, thread_items, threads
from parley.repositories.thread_items import Entry, ItemKey, SavedMessage
from parley.repositories.threads import ThreadRow
from parley.services.history import estimate_tokens
from parley.tools.client_tools import Kind

MAX_PAGE = 100
MAX_TITLE = 200

# Of threads whose ids are no UUIDs, because another store made them.
_FOREIGN_THREADS = uuid.UUID("5b1c2c5e-2f0e-4c0b-9d0a-7d5f6a3c1e44")
_ANY_ATTACHMENT: TypeAdapter[Attachment] = TypeAdapter(Attachment)
_BESIDE_COLUMNS = {"id", "status", "allowed_image_domains", "metadata"}
_RATINGS: dict[FeedbackKind, str] = {"positive": "up", "negative": "down"}


class HasUser(Protocol):
    """What the context of a request must have: the verified user's id."""

    @property
    def user_id(self) -> str: ...


T = TypeVar("T")
TContext = TypeVar("TContext", bound=HasUser, default=HasUser)


class PostgresStore(Store[TContext]):
    """`client_tools`: of Parley's agent, the tools that the page carries out or the user answers."""

    def __init__(self, database: Database, client_tools: Mapping[str, Kind] | None = None) -> None:
        self._database = database
        self._client_tools = client_tools or {}

    def generate_thread_id(self, context: TContext) -> str:
        return str(new_id())

    def generate_item_id(self, item_type: StoreItemType, thread: ThreadMetadata, context: TContext) -> str:
        return str(new_id())

    async def load_thread(self, thread_id: str, context: TContext) -> ThreadMetadata:
        user_id = context.user_id
        row = await self._run(threads.get_thread, user_id, conversation_of(user_id, thread_id))
        return _metadata(_found(row, f"Thread {thread_id}"))

    async def save_thread(self, thread: ThreadMetadata, context: TContext) -> None:
        """Store the metadata, of a Thread as well; its items are stored one by one."""
        user_id = context.user_id
        row = ThreadRow(
            conversation_of(user_id, thread.id),
            _clean(thread.title or "")[:MAX_TITLE],
            _aware(thread.created_at),
            _clean(thread.model_dump(mode="json", include=_BESIDE_COLUMNS)),
        )
        _found(await self._run(threads.save_thread, user_id, row), f"Thread {thread.id}")

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: TContext
    ) -> Page[ThreadMetadata]:
        """By their last activity; those that the user has archived are left out."""
        user_id = context.user_id
        limit = _limited(limit)
        found = await self._run(
            threads.list_threads,
            user_id,
            limit=limit + 1,
            after=conversation_of(user_id, after) if after else None,
            newest_first=order == "desc",
        )
        rows = _found(found, f"Thread {after}")
        page = [_metadata(row) for row in rows[:limit]]
        more = len(rows) > limit
        return Page(data=page, has_more=more, after=page[-1].id if more else None)

    async def delete_thread(self, thread_id: str, context: TContext) -> None:
        user_id = context.user_id
        conversation_id = conversation_of(user_id, thread_id)
        deleted = await self._run(conversations.delete_conversation, user_id, conversation_id)
        _found(deleted, f"Thread {thread_id}")

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: TContext
    ) -> Page[ThreadItem]:
        """A page, of fewer than `limit` items where they are large. No such thread: an empty one."""
        user_id = context.user_id
        limit = _limited(limit)
        found = await self._run(
            thread_items.list_entries,
            user_id,
            conversation_of(user_id, thread_id),
            after=_key(after) if after else None,
            # One more than is asked for, and the one that the page starts after.
            limit=limit + 2,
            newest_first=order == "desc",
        )
        page: list[ThreadItem] = []
        ends_at: str | None = None
        entries = _found(found, f"Item {after}")
        for entry in entries.data:
            items = self._items(entry)
            if order == "desc":
                items.reverse()
            if entry.is_start:
                ids = [item.id for item in items]
                items = items[ids.index(after) + 1 :] if after in ids else []
            page += items
            # A message may have nothing to show; its own id leads on from there all the same.
            ends_at = page[-1].id if items else str(entry.message.id) if entry.message else ends_at
        if len(page) > limit:
            return Page(data=page[:limit], has_more=True, after=page[limit - 1].id)
        return Page(data=page, has_more=entries.more, after=ends_at if entries.more else None)

    async def load_item(self, thread_id: str, item_id: str, context: TContext) -> ThreadItem:
        user_id = context.user_id
        conversation_id = conversation_of(user_id, thread_id)
        entry = await self._run(thread_items.get_entry, user_id, conversation_id, _key(item_id))
        for item in self._items(entry) if entry else []:
            if item.id == item_id:
                return item
        raise NotFoundError(f"Item {item_id} not found")

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: TContext) -> None:
        await self.save_item(thread_id, item, context)

    async def save_item(self, thread_id: str, item: ThreadItem, context: TContext) -> None:
        """Insert or update it. What belongs to a turn of Parley's own is left as that turn stored it.

        The time is made an aware one in the item itself, which the SDK sends to the client afterwards.
        """
        user_id = context.user_id
        conversation_id = conversation_of(user_id, thread_id)
        _set_time(item)
        key, stored = _key(item.id), _clean(item.model_dump(mode="json"))
        if isinstance(item, UserMessageItem | AssistantMessageItem) and key.whole:
            content = _clean("".join(part.text for part in item.content))
            role: Literal["user", "assistant"] = "user" if isinstance(item, UserMessageItem) else "assistant"
            message = SavedMessage(role, content, estimate_tokens(content))
            done = await self._run(
                thread_items.save_message,
                user_id,
                conversation_id,
                key.whole,
                message,
                stored,
                item.created_at,
            )
        else:
            done = await self._run(
                thread_items.save_item, user_id, conversation_id, key, stored, item.created_at
            )
        _found(done, f"Thread {thread_id}")

    async def delete_thread_item(self, thread_id: str, item_id: str, context: TContext) -> None:
        """Delete it if it is there: the SDK removes what it has never stored as well.

        A message of a turn of Parley's own is superseded, with all its items: kept, but shown no longer.
        """
        user_id = context.user_id
        conversation_id = conversation_of(user_id, thread_id)
        done = await self._run(thread_items.delete_item, user_id, conversation_id, _key(item_id))
        _found(done, f"Thread {thread_id}")

    async def save_attachment(self, attachment: Attachment, context: TContext) -> None:
        document = _clean(attachment.model_dump(mode="json"))
        await self._run(attachments.save_attachment, context.user_id, attachment.id, document)

    async def load_attachment(self, attachment_id: str, context: TContext) -> Attachment:
        document = await self._run(attachments.get_attachment, context.user_id, attachment_id)
        return _ANY_ATTACHMENT.validate_python(_found(document, f"Attachment {attachment_id}"))

    async def delete_attachment(self, attachment_id: str, context: TContext) -> None:
        """Delete it if it is there: the SDK asks for it after the file is gone, whatever was known of it."""
        await self._run(attachments.delete_attachment, context.user_id, attachment_id)

    async def set_feedback(
        self, thread_id: str, item_ids: list[str], kind: FeedbackKind, context: TContext
    ) -> set[uuid.UUID]:
        """Store what the user thinks of answers, for a server's `add_feedback`; other items have none.

        Returns the ids of those answers.
        """
        user_id = context.user_id
        return await self._run(
            messages.set_feedback,
            user_id,
            conversation_of(user_id, thread_id),
            [key.message_id for item_id in item_ids if (key := _key(item_id)).message_id],
            {"rating": _RATINGS[kind]},
        )

    async def _run(self, query: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """The one place where a call crosses to a thread, since the database's driver blocks."""
        return await asyncio.to_thread(query, self._database, *args, **kwargs)

    def _items(self, entry: Entry) -> list[ThreadItem]:
        if entry.message is not None:
            items = items_of(entry.message, entry.status or "", self._client_tools, entry.earlier)
        else:
            items = [ANY_ITEM.validate_python(entry.item)]
        for item in items:
            # Only read so far, by an adapter, its class is not complete, and the SDK could not write it.
            item.model_rebuild()
            _set_time(item)
        return items


class _WorkflowTime(datetime):
    """An aware time that can be taken from a naive one: the SDK takes a workflow's from `datetime.now()`."""

    def __rsub__(self, other: datetime) -> timedelta:
        return datetime.__sub__(_aware(other), self)


def _set_time(item: ThreadItem) -> None:
    time = _aware(item.created_at)
    if isinstance(item, WorkflowItem):
        time = _WorkflowTime.combine(time.date(), time.timetz())
    item.created_at = time


def _aware(time: datetime) -> datetime:
    """In UTC; a naive time is a local one, as the SDK's are."""
    return time.astimezone(UTC)


def conversation_of(user_id: str, thread_id: str) -> uuid.UUID:
    """The id of a thread's conversation: its own or, where that is no UUID, one made from it and the user."""
    own = message_id(thread_id)
    if str(own) == thread_id:
        return uuid.UUID(thread_id)
    return uuid.uuid5(_FOREIGN_THREADS, f"{user_id}\n{thread_id}")


def _key(item_id: str) -> ItemKey:
    return ItemKey(item_id, message_id(item_id))


def _metadata(row: ThreadRow) -> ThreadMetadata:
    """Of a conversation that no ChatKit server has saved, with the SDK's defaults."""
    saved = row.thread or {"id": str(row.id)}
    return ThreadMetadata.model_validate({**saved, "title": row.title or None, "created_at": row.created_at})


def _limited(limit: int) -> int:
    return max(1, min(limit, MAX_PAGE))


def _found(result: T | None, what: str) -> T:
    """Raises NotFoundError for nothing, or for False."""
    if result is None or result is False:
        raise NotFoundError(f"{what} not found")
    return result


def _clean(value: T) -> T:
    """JSON without what Postgres cannot store, NUL and halves of surrogate pairs: � stands for them."""
    cleaned: Any = value
    if isinstance(value, str):
        text = value.replace("\0", "\ufffd")
        cleaned = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    elif isinstance(value, dict):
        cleaned = {_clean(name): _clean(each) for name, each in value.items()}
    elif isinstance(value, list):
        cleaned = [_clean(each) for each in value]
    result: T = cleaned
    return result
