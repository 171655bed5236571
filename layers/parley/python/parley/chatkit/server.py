"""ChatKit's protocol over Parley's conversations, in the data types of the official SDK.

The SDK's own server is not used: it reads and writes a thread item by item, whereas a turn stores itself.
A turn begins before its reply does, so that a refusal has a status of its own.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from chatkit import types
from chatkit.errors import ErrorCode
from pydantic import BaseModel

from parley.chatkit.events import AnswerEvents
from parley.chatkit.plans import Plan, Planner
from parley.chatkit.requests import ThreadRequest, TurnRequest, read_request
from parley.chatkit.threads import Threads
from parley.database import Database
from parley.errors import ProblemError, QuotaExceeded
from parley.logs import describe_error
from parley.services.running_turn import TurnCreated, TurnEnded, TurnEvent, until_ended
from parley.services.shares import Shares
from parley.services.turn_service import Client, TurnService
from parley.tools.client_tools import Kind

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reply:
    """JSON, or a stream of Server-Sent Events. `created` names the turn, if the operation started one."""

    content: bytes | AsyncIterator[bytes]
    created: TurnCreated | None = None


@dataclass(frozen=True, slots=True)
class ChatKit:
    """`handle` answers every operation of the protocol."""

    turns: TurnService
    database: Database
    shares: Shares
    client_tools: Mapping[str, Kind]
    models: Collection[str]

    async def handle(self, body: bytes, client: Client) -> Reply:
        """Raises ProblemError, before anything is streamed."""
        request = read_request(body)
        if isinstance(request, ThreadRequest):
            reply = await self._query(client, lambda threads: threads.answer(request))
            return Reply(_json(reply) if reply else b"{}")
        try:
            plan = await self._query(client, lambda threads: Planner(threads, self.models).plan(request))
            events = await self.turns.start(plan.act, client)
        except QuotaExceeded as problem:
            if isinstance(request, types.ThreadsSyncCustomActionReq):
                raise
            return Reply(_frames(_notice(problem)))
        created = await events.get()
        assert isinstance(created, TurnCreated)  # noqa: S101 (the events' promise)
        if isinstance(request, types.ThreadsSyncCustomActionReq):
            # The turn's end comes before the reply: after that, Lambda freezes the process.
            async for event in until_ended(events):
                if isinstance(event, TurnEnded) and event.problem:
                    raise event.problem
            return Reply(_json(types.SyncCustomActionResponse(updated_item=plan.decided)), created)
        return Reply(_frames(self._events(request, plan, created, events, client)), created)

    async def _events(
        self,
        request: TurnRequest,
        plan: Plan,
        created: TurnCreated,
        events: asyncio.Queue[TurnEvent],
        client: Client,
    ) -> AsyncIterator[types.ThreadStreamEvent]:
        for event in _opening(request, created):
            yield event
        yield types.StreamOptionsEvent(stream_options=types.StreamOptions(allow_cancel=True))
        match plan.decided:
            case types.StructuredInputItem():
                yield types.ThreadItemReplacedEvent(item=plan.decided)
            case types.WidgetItem():
                yield types.ThreadItemRemovedEvent(item_id=plan.decided.id)
        answer = AnswerEvents(created, self.client_tools, plan.waiting)
        problem: ProblemError | None = None
        async for turn_event in until_ended(events):
            for event in answer.translate(turn_event):
                yield event
            if isinstance(turn_event, TurnEnded):
                problem = turn_event.problem
        with suppress(ProblemError):
            # Its title may be new.
            thread = await self._query(client, lambda threads: threads.get_thread(created.conversation_id))
            yield types.ThreadUpdatedEvent(thread=thread)
        if problem is not None:
            # A refusal (4xx) would be repeated.
            yield types.ErrorEvent(message=problem.detail, allow_retry=problem.status >= 500)

    async def _query(self, client: Client, query: Callable[[Threads], T]) -> T:
        """Run `query`, which blocks, on the client's threads."""
        tools = self.client_tools
        async with self.shares.hold(client.user_id):
            return await self.database.call(lambda database: query(Threads(database, client.user_id, tools)))


def _opening(request: TurnRequest, created: TurnCreated) -> list[types.ThreadStreamEvent]:
    """What is new in the thread before the answer."""
    if not isinstance(request, types.ThreadsCreateReq | types.ThreadsAddUserMessageReq):
        return []
    thread_id, now, message = str(created.conversation_id), datetime.now(UTC), request.params.input
    question = types.UserMessageItem(
        id=str(created.user_message_id),
        thread_id=thread_id,
        created_at=now,
        content=message.content,
        quoted_text=message.quoted_text,
        inference_options=message.inference_options,
    )
    said = types.ThreadItemDoneEvent(item=question)
    if isinstance(request, types.ThreadsAddUserMessageReq):
        return [said]
    thread = types.Thread(id=thread_id, created_at=now, items=types.Page())
    return [types.ThreadCreatedEvent(thread=thread), said]


async def _notice(problem: ProblemError) -> AsyncIterator[types.ThreadStreamEvent]:
    yield types.NoticeEvent(level="warning", title=problem.title, message=problem.detail)


async def _frames(events: AsyncIterator[types.ThreadStreamEvent]) -> AsyncIterator[bytes]:
    try:
        async for event in events:
            yield b"data: " + _json(event) + b"\n\n"
    except Exception as error:
        logger.error("chatkit_failed", extra=describe_error(error))
        yield b"data: " + _json(types.ErrorEvent(code=ErrorCode.STREAM_ERROR, allow_retry=True)) + b"\n\n"


def _json(model: BaseModel) -> bytes:
    return model.model_dump_json(by_alias=True, exclude_none=True).encode()
