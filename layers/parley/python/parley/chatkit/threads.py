"""The operations that start no turn: list, read, rename, rate, delete. They block, and raise ProblemError."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import assert_never

from chatkit import types
from pydantic import BaseModel

from parley.chatkit.items import message_id, message_items
from parley.chatkit.requests import ThreadRequest, identifier
from parley.database import Database
from parley.errors import NotFound, ProblemError
from parley.models import Conversation
from parley.repositories import conversations, messages
from parley.repositories.messages import MessageState
from parley.services.ownership import change_conversation, missing, own_conversation, own_message
from parley.tools.client_tools import Kind

DEFAULT_LIMIT = 20
_RATINGS: dict[types.FeedbackKind, str] = {"positive": "up", "negative": "down"}


@dataclass(frozen=True, slots=True)
class Threads:
    """One user's conversations, as ChatKit's threads."""

    database: Database
    user_id: str
    client_tools: Mapping[str, Kind]

    def answer(self, request: ThreadRequest) -> BaseModel | None:
        """Carry out an operation and return what it replies, None for nothing."""
        if isinstance(request, types.ThreadsListReq):
            return self._list_threads(request.params)
        conversation_id = identifier(request.params.thread_id)
        match request:
            case types.ThreadsGetByIdReq():
                thread = self.get_thread(conversation_id)
                first = types.ItemsListParams(thread_id=thread.id, order="asc")
                thread.items = self._list_items(conversation_id, first)
                return thread
            case types.ItemsListReq():
                self.get_thread(conversation_id)
                return self._list_items(conversation_id, request.params)
            case types.ItemsFeedbackReq():
                self._rate(conversation_id, request.params)
                return None
            case types.ThreadsUpdateReq():
                changes = {"title": request.params.title, "titled": True}
                changed = change_conversation(self.database, self.user_id, conversation_id, changes)
                return _thread(changed.conversation)
            case types.ThreadsDeleteReq():
                if not conversations.delete_conversation(self.database, self.user_id, conversation_id):
                    raise missing(self.database, self.user_id, conversation_id)
                return None
        assert_never(request)

    def get_thread(self, conversation_id: uuid.UUID) -> types.Thread:
        """The thread without its items."""
        return _thread(own_conversation(self.database, self.user_id, conversation_id).conversation)

    def get_message(self, thread_id: str, item_id: str) -> MessageState:
        """The message that an item belongs to."""
        conversation_id = identifier(thread_id)
        # What is no message's id leads to no message, nor does the conversation's.
        id_ = message_id(item_id) or conversation_id
        return own_message(self.database, self.user_id, conversation_id, id_)

    def _list_threads(self, params: types.ThreadListParams) -> types.Page[types.Thread]:
        """Pinned first, then by their last activity, without those that the user has archived."""
        limit, newest_first = params.limit or DEFAULT_LIMIT, params.order == "desc"
        after = None
        if params.after:
            start = own_conversation(self.database, self.user_id, identifier(params.after)).conversation
            after = (start.pinned, start.updated_at, start.id)
        page, last = conversations.list_conversations(
            self.database, self.user_id, limit=limit, after=after, newest_first=newest_first
        )
        data = [_thread(state.conversation) for state in page]
        return types.Page(data=data, has_more=last is not None, after=data[-1].id if last else None)

    def _list_items(
        self, conversation_id: uuid.UUID, params: types.ItemsListParams
    ) -> types.Page[types.ThreadItem]:
        """A page, with fewer items than its limit where they are large."""
        limit, newest_first = params.limit or DEFAULT_LIMIT, params.order == "desc"
        step = -1 if newest_first else 1
        items: list[types.ThreadItem] = []
        start: MessageState | None = None
        if params.after:
            id_ = message_id(params.after)
            start = messages.get_message(self.database, self.user_id, id_) if id_ else None
            if start is None or start.message.conversation_id != conversation_id:
                raise NotFound
            if not start.message.superseded:
                items = self._items(start)[::step]
                ids = [item.id for item in items]
                items = items[ids.index(params.after) + 1 :] if params.after in ids else []
        after = start.message.seq if start else None
        page, last = messages.list_messages(
            self.database, self.user_id, conversation_id, limit=limit, after=after, newest_first=newest_first
        )
        ends_at = params.after
        for state in page:
            found = self._items(state)[::step]
            items += found
            # A message may have no item. The next page starts after it all the same.
            ends_at = found[-1].id if found else str(state.message.id)
        if len(items) > limit:
            return types.Page(data=items[:limit], has_more=True, after=items[limit - 1].id)
        has_more = last is not None
        return types.Page(data=items, has_more=has_more, after=ends_at if has_more else None)

    def _items(self, state: MessageState) -> list[types.ThreadItem]:
        message, earlier = state.message, None
        if message.version > 1 and not message.content and state.status in ("failed", "interrupted"):
            versions, _ = messages.list_versions(self.database, self.user_id, message.id, limit=100)
            texts = [version.message.content for version in versions if version.message.content]
            earlier = texts[0] if texts else None
        return message_items(message, state.status, self.client_tools, earlier)

    def _rate(self, conversation_id: uuid.UUID, params: types.ItemFeedbackParams) -> None:
        """Rate answers. If an item is no part of one, rate the others and raise."""
        answers = {message_id(item_id) for item_id in params.item_ids}
        if not answers:
            # Nothing else would find out whose thread it is.
            self.get_thread(conversation_id)
        ids = [answer for answer in answers if answer]
        rating = {"rating": _RATINGS[params.kind]}
        rated = messages.set_feedback(self.database, self.user_id, conversation_id, ids, rating)
        problems: list[ProblemError] = [
            missing(self.database, self.user_id, conversation_id, answer or conversation_id)
            for answer in answers - rated
        ]
        if problems:
            raise max(problems, key=lambda problem: problem.status == 403)


def _thread(conversation: Conversation) -> types.Thread:
    created_at = conversation.created_at.astimezone(UTC)
    return types.Thread(
        id=str(conversation.id), title=conversation.title or None, created_at=created_at, items=types.Page()
    )
