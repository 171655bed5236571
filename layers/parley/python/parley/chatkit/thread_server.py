"""The SDK's server for the operations that start no turn: list, read, rename, rate and delete."""

import uuid
from collections.abc import AsyncIterator, Mapping
from datetime import UTC

from chatkit.server import ChatKitServer
from chatkit.store import NotFoundError
from chatkit.types import FeedbackKind, Page, ThreadItem, ThreadMetadata, ThreadStreamEvent

from parley.chatkit.items import message_id, message_items
from parley.chatkit.partial_store import PartialStore
from parley.chatkit.requests import identifier
from parley.database import Database
from parley.models import Conversation
from parley.repositories import conversations, messages
from parley.repositories.messages import MessageState
from parley.services.turn_service import Client
from parley.tools.client_tools import Kind

_RATINGS: dict[FeedbackKind, str] = {"positive": "up", "negative": "down"}


class ThreadServer(ChatKitServer[Client]):
    """The store that it reads is `store`."""

    def __init__(self, database: Database, client_tools: Mapping[str, Kind]) -> None:
        super().__init__(ThreadStore(database, client_tools))
        self._database = database

    def respond(self, *_: object) -> AsyncIterator[ThreadStreamEvent]:
        raise NotImplementedError

    async def add_feedback(
        self, thread_id: str, item_ids: list[str], feedback: FeedbackKind, context: Client
    ) -> None:
        """Rate answers. If an item is no part of one, rate the others and raise NotFoundError."""
        # With no items at all, nothing else would find out whose thread it is.
        await self.store.load_thread(thread_id, context)
        answers = {message_id(item_id) for item_id in item_ids}
        rated = await self._database.call(
            messages.set_feedback,
            context.user_id,
            identifier(thread_id),
            [answer for answer in answers if answer],
            {"rating": _RATINGS[feedback]},
        )
        if rated != answers:
            raise NotFoundError


class ThreadStore(PartialStore[Client]):
    """Conversations as threads. Every operation raises NotFoundError for what the user does not have."""

    def __init__(self, database: Database, client_tools: Mapping[str, Kind]) -> None:
        self._database = database
        self._client_tools = client_tools

    async def load_thread(self, thread_id: str, context: Client) -> ThreadMetadata:
        return _metadata(await self._conversation(thread_id, context))

    async def save_thread(self, thread: ThreadMetadata, context: Client) -> None:
        """Rename it. A turn makes threads: one that was deleted after the SDK read it stays deleted."""
        changes = {"title": thread.title, "titled": True}
        call = self._database.call
        found = await call(conversations.update_conversation, context.user_id, identifier(thread.id), changes)
        if not found:
            raise NotFoundError

    async def delete_thread(self, thread_id: str, context: Client) -> None:
        call = self._database.call
        if not await call(conversations.delete_conversation, context.user_id, identifier(thread_id)):
            raise NotFoundError

    async def load_threads(
        self, limit: int, after: str | None, order: str, context: Client
    ) -> Page[ThreadMetadata]:
        """By their last activity, without those that the user has archived."""
        start = await self._conversation(after, context) if after else None
        page = await self._database.call(
            conversations.list_conversations,
            context.user_id,
            limit=limit,
            after=(start.updated_at, start.id) if start else None,
            newest_first=order == "desc",
        )
        data = [_metadata(state.conversation) for state in page.data]
        return Page(
            data=data, has_more=page.next_key is not None, after=data[-1].id if page.next_key else None
        )

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Client
    ) -> Page[ThreadItem]:
        """A page, with fewer items than `limit` where they are large."""
        conversation_id = identifier(thread_id)
        items: list[ThreadItem] = []
        start = await self._message(conversation_id, after, context) if after else None
        if start is not None and not start.message.superseded:
            items = await self._items(start, order)
            ids = [item.id for item in items]
            items = items[ids.index(after) + 1 :] if after in ids else []
        page = await self._database.call(
            messages.list_messages,
            context.user_id,
            conversation_id,
            limit=limit,
            after=start.message.seq if start else None,
            newest_first=order == "desc",
        )
        ends_at = after
        for state in page.data:
            shown = await self._items(state, order)
            items += shown
            # A message may have no item. The next page starts after it all the same.
            ends_at = shown[-1].id if shown else str(state.message.id)
        if len(items) > limit:
            return Page(data=items[:limit], has_more=True, after=items[limit - 1].id)
        has_more = page.next_key is not None
        return Page(data=items, has_more=has_more, after=ends_at if has_more else None)

    async def _conversation(self, thread_id: str, context: Client) -> Conversation:
        call = self._database.call
        state = await call(conversations.get_conversation, context.user_id, identifier(thread_id))
        if state is None:
            raise NotFoundError
        return state.conversation

    async def _message(self, conversation_id: uuid.UUID, item_id: str, context: Client) -> MessageState:
        message = message_id(item_id)
        call = self._database.call
        state = await call(messages.get_message, context.user_id, message) if message else None
        if state is None or state.message.conversation_id != conversation_id:
            raise NotFoundError
        return state

    async def _items(self, state: MessageState, order: str) -> list[ThreadItem]:
        message = state.message
        earlier = None
        if message.version > 1 and not message.content and state.status in ("failed", "interrupted"):
            versions = await self._database.call(messages.list_versions, message.user_id, message.id)
            texts = [version.message.content for version in versions if version.message.content]
            earlier = texts[-1] if texts else None
        items = message_items(message, state.status, self._client_tools, earlier)
        return items[::-1] if order == "desc" else items


def _metadata(conversation: Conversation) -> ThreadMetadata:
    created_at = conversation.created_at.astimezone(UTC)
    return ThreadMetadata(id=str(conversation.id), title=conversation.title or None, created_at=created_at)
