"""The operations that start no turn: list, read, rename, rate, delete. They block, and raise ProblemError."""

import uuid
from collections.abc import Mapping
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
from parley.services.ownership import missing_conversation, missing_message, own_conversation, own_message
from parley.tools.client_tools import Kind

DEFAULT_LIMIT = 20
_RATINGS: dict[types.FeedbackKind, str] = {"positive": "up", "negative": "down"}


def answer(
    database: Database, user_id: str, request: ThreadRequest, client_tools: Mapping[str, Kind]
) -> BaseModel | None:
    """Carry out an operation and return what it replies, None for nothing."""
    match request:
        case types.ThreadsListReq():
            return _list_threads(database, user_id, request)
        case types.ThreadsGetByIdReq():
            thread = get_thread(database, user_id, identifier(request.params.thread_id))
            first = types.ItemsListParams(thread_id=thread.id, order="asc")
            thread.items = _list_items(database, user_id, first, client_tools)
            return thread
        case types.ItemsListReq():
            get_thread(database, user_id, identifier(request.params.thread_id))
            return _list_items(database, user_id, request.params, client_tools)
        case types.ItemsFeedbackReq():
            _rate(database, user_id, request)
            return None
        case types.ThreadsUpdateReq():
            return _rename(database, user_id, request)
        case types.ThreadsDeleteReq():
            conversation_id = identifier(request.params.thread_id)
            if not conversations.delete_conversation(database, user_id, conversation_id):
                raise missing_conversation(database, user_id, conversation_id)
            return None
    assert_never(request)


def get_thread(database: Database, user_id: str, conversation_id: uuid.UUID) -> types.Thread:
    """The thread without its items."""
    return _thread(own_conversation(database, user_id, conversation_id).conversation)


def get_message(database: Database, user_id: str, thread_id: str, item_id: str) -> MessageState:
    """The message that an item belongs to."""
    conversation_id = identifier(thread_id)
    # What is no message's id leads to no message, nor does the conversation's.
    return own_message(database, user_id, conversation_id, message_id(item_id) or conversation_id)


def _list_threads(
    database: Database, user_id: str, request: types.ThreadsListReq
) -> types.Page[types.Thread]:
    """By their last activity, without those that the user has archived."""
    params = request.params
    after = None
    if params.after:
        start = own_conversation(database, user_id, identifier(params.after)).conversation
        after = (start.updated_at, start.id)
    page = conversations.list_conversations(
        database,
        user_id,
        limit=params.limit or DEFAULT_LIMIT,
        after=after,
        newest_first=params.order == "desc",
    )
    data = [_thread(state.conversation) for state in page.data]
    has_more = page.next_key is not None
    return types.Page(data=data, has_more=has_more, after=data[-1].id if has_more else None)


def _list_items(
    database: Database, user_id: str, params: types.ItemsListParams, client_tools: Mapping[str, Kind]
) -> types.Page[types.ThreadItem]:
    """A page, with fewer items than its limit where they are large."""
    conversation_id = identifier(params.thread_id)
    limit, newest_first = params.limit or DEFAULT_LIMIT, params.order == "desc"

    def shown(state: MessageState) -> list[types.ThreadItem]:
        items = _items(database, state, client_tools)
        return items[::-1] if newest_first else items

    items: list[types.ThreadItem] = []
    start: MessageState | None = None
    if params.after:
        id_ = message_id(params.after)
        start = messages.get_message(database, user_id, id_) if id_ else None
        if start is None or start.message.conversation_id != conversation_id:
            raise NotFound
        if not start.message.superseded:
            items = shown(start)
            ids = [item.id for item in items]
            items = items[ids.index(params.after) + 1 :] if params.after in ids else []
    page = messages.list_messages(
        database,
        user_id,
        conversation_id,
        limit=limit,
        after=start.message.seq if start else None,
        newest_first=newest_first,
    )
    ends_at = params.after
    for state in page.data:
        found = shown(state)
        items += found
        # A message may have no item. The next page starts after it all the same.
        ends_at = found[-1].id if found else str(state.message.id)
    if len(items) > limit:
        return types.Page(data=items[:limit], has_more=True, after=items[limit - 1].id)
    has_more = page.next_key is not None
    return types.Page(data=items, has_more=has_more, after=ends_at if has_more else None)


def _items(
    database: Database, state: MessageState, client_tools: Mapping[str, Kind]
) -> list[types.ThreadItem]:
    message, earlier = state.message, None
    if message.version > 1 and not message.content and state.status in ("failed", "interrupted"):
        versions = messages.list_versions(database, message.user_id, message.id)
        texts = [version.message.content for version in versions if version.message.content]
        earlier = texts[-1] if texts else None
    return message_items(message, state.status, client_tools, earlier)


def _rate(database: Database, user_id: str, request: types.ItemsFeedbackReq) -> None:
    """Rate answers. If an item is no part of one, rate the others and raise."""
    params = request.params
    conversation_id = identifier(params.thread_id)
    answers = {message_id(item_id) for item_id in params.item_ids}
    if not answers:
        # Nothing else would find out whose thread it is.
        own_conversation(database, user_id, conversation_id)
    rating = {"rating": _RATINGS[params.kind]}
    ids = [answer for answer in answers if answer]
    rated = messages.set_feedback(database, user_id, conversation_id, ids, rating)
    problems: list[ProblemError] = [
        missing_message(database, user_id, conversation_id, answer or conversation_id)
        for answer in answers - rated
    ]
    if problems:
        raise max(problems, key=lambda problem: problem.status == 403)


def _rename(database: Database, user_id: str, request: types.ThreadsUpdateReq) -> types.Thread:
    conversation_id = identifier(request.params.thread_id)
    changes = {"title": request.params.title, "titled": True}
    if not conversations.update_conversation(database, user_id, conversation_id, changes):
        raise missing_conversation(database, user_id, conversation_id)
    return get_thread(database, user_id, conversation_id)


def _thread(conversation: Conversation) -> types.Thread:
    created_at = conversation.created_at.astimezone(UTC)
    return types.Thread(
        id=str(conversation.id), title=conversation.title or None, created_at=created_at, items=types.Page()
    )
