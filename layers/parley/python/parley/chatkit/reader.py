"""The SDK's server for the operations that begin no turn."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from chatkit.server import ChatKitServer
from chatkit.store import NotFoundError
from chatkit.types import FeedbackKind, ThreadMetadata, ThreadStreamEvent

from parley.chatkit.items import message_id
from parley.chatkit.store import HasUser, PostgresStore, conversation_of
from parley.database import Database
from parley.repositories import conversations
from parley.tools.client_tools import Kind


class Reader(ChatKitServer[HasUser]):
    """The operations that begin no turn."""

    def __init__(self, database: Database, client_tools: Mapping[str, Kind]) -> None:
        self.threads = _ThreadStore(database, client_tools)
        super().__init__(self.threads)

    def respond(self, *_: Any) -> AsyncIterator[ThreadStreamEvent]:
        raise NotImplementedError

    async def add_feedback(
        self, thread_id: str, item_ids: list[str], feedback: FeedbackKind, context: HasUser
    ) -> None:
        # Without items, nothing else would tell that the thread is another's.
        await self.threads.load_thread(thread_id, context)
        rated = await self.threads.set_feedback(thread_id, item_ids, feedback, context)
        if rated != {message_id(item_id) for item_id in item_ids}:
            raise NotFoundError


class _ThreadStore(PostgresStore[HasUser]):
    """Of threads that are there: the turns make them."""

    async def save_thread(self, thread: ThreadMetadata, context: HasUser) -> None:
        """Rename it. The SDK has read it before: one that has been deleted since must not come back."""
        user_id = context.user_id
        changes = {"title": thread.title, "titled": True}
        conversation_id = conversation_of(user_id, thread.id)
        if not await self._run(conversations.update_conversation, user_id, conversation_id, changes):
            raise NotFoundError(thread.id)
