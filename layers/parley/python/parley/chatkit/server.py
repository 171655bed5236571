"""ChatKit's protocol over Parley's conversations: the official SDK's server around the turn.

A turn begins before its reply does, so that a refusal has a status of its own. Then the SDK streams what
happens. Its store writes nothing, because the turn stores itself.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass

from chatkit.errors import CustomStreamError
from chatkit.server import NonStreamingResult, StreamingResult
from chatkit.store import NotFoundError
from chatkit.types import (
    ChatKitReq,
    ItemsListReq,
    NoticeEvent,
    Page,
    Thread,
    ThreadItem,
    ThreadsSyncCustomActionReq,
    ThreadStreamEvent,
    ThreadUpdatedEvent,
    is_streaming_req,
)

from parley.chatkit.events import AnswerEvents
from parley.chatkit.items import message_id, message_items
from parley.chatkit.plans import Plan, Planner, StartsTurn
from parley.chatkit.requests import identifier, read_request
from parley.chatkit.thread_server import ThreadServer
from parley.chatkit.turn_server import TurnServer
from parley.database import Database
from parley.errors import NotFound, ProblemError, QuotaExceeded
from parley.logs import describe_error
from parley.services.ownership import missing_message
from parley.services.running_turn import TurnCreated, TurnEvent
from parley.services.turn_service import Client, TurnService
from parley.tools.client_tools import Kind

logger = logging.getLogger(__name__)


class _Causes(logging.Handler):
    """Logs what the SDK catches. The SDK's own line would hold the user's text; this one does not."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            logger.error("chatkit_failed", extra=describe_error(record.exc_info[1]))


_sdk_logger = logging.getLogger("chatkit")
_sdk_logger.handlers = [_Causes(logging.ERROR)]
_sdk_logger.propagate = False


@dataclass(frozen=True, slots=True)
class Reply:
    """JSON, or a stream of Server-Sent Events. `created` names the turn, if the operation started one."""

    content: bytes | AsyncIterator[bytes]
    created: TurnCreated | None = None


class ChatKit:
    """`handle` answers every operation of the protocol."""

    def __init__(
        self,
        turns: TurnService,
        database: Database,
        client_tools: Mapping[str, Kind],
        models: Collection[str],
    ) -> None:
        self._turns = turns
        self._database = database
        self._client_tools = client_tools
        self._planner = Planner(database, client_tools, models)
        self._threads = ThreadServer(database, client_tools)

    async def handle(self, body: bytes, client: Client) -> Reply:
        """Raises ProblemError, before anything is streamed."""
        request = read_request(body)
        try:
            if is_streaming_req(request) or isinstance(request, ThreadsSyncCustomActionReq):
                return await self._start_turn(request, body, client)
            if isinstance(request, ItemsListReq):
                # An empty page would not say whose thread it is.
                await self._threads.store.load_thread(request.params.thread_id, client)
            return _reply(await self._threads.process(body, client))
        except NotFoundError:
            raise await asyncio.to_thread(self._missing, request, client.user_id) from None
        except QuotaExceeded as problem:
            if not is_streaming_req(request):
                raise
            return Reply(_notice(problem))

    async def _start_turn(self, request: StartsTurn, body: bytes, client: Client) -> Reply:
        plan = await asyncio.to_thread(self._planner.plan, request, client.user_id)
        events = await self._turns.start(plan.act, client)
        created = await anext(events)
        assert isinstance(created, TurnCreated)  # noqa: S101 (the events' promise)
        stream = self._translated(plan, created, events, client)
        server = TurnServer(created, plan.items, events, stream)
        return _reply(await server.process(body, None), created)

    async def _translated(
        self, plan: Plan, created: TurnCreated, events: AsyncIterator[TurnEvent], client: Client
    ) -> AsyncIterator[ThreadStreamEvent]:
        shown: list[ThreadItem] = []
        if plan.waiting is not None:
            shown = message_items(plan.waiting, "waiting_approval", self._client_tools)
            shown += [item for item in plan.items if item.id not in {each.id for each in shown}]
        answer = AnswerEvents(created, self._client_tools, plan.waiting, shown)
        failure: CustomStreamError | None = None
        try:
            async for event in answer.translate(events):
                yield event
        except CustomStreamError as error:
            failure = error
        if (thread := await self._titled_thread(created, client)) is not None:
            yield ThreadUpdatedEvent(thread=thread)
        if failure is not None:
            raise failure

    async def _titled_thread(self, created: TurnCreated, client: Client) -> Thread | None:
        """The thread with its title, which may be new. None if it cannot be read."""
        try:
            thread = await self._threads.store.load_thread(str(created.conversation_id), client)
        except (NotFoundError, ProblemError):
            return None
        return Thread(**thread.model_dump(exclude={"metadata"}), items=Page())

    def _missing(self, request: ChatKitReq, user_id: str) -> ProblemError:
        """Forbidden where a part of what the request names is another user's, else NotFound."""
        thread_id = getattr(request.params, "thread_id", None) or getattr(request.params, "after", None) or ""
        item_ids = getattr(request.params, "item_ids", None) or [getattr(request.params, "item_id", None)]
        try:
            conversation_id = identifier(thread_id)
        except NotFound as error:
            return error
        ids = [message_id(item_id) if item_id else None for item_id in item_ids]
        problems = [
            missing_message(self._database, user_id, conversation_id, each or conversation_id)
            for each in set(ids)
        ]
        return max(problems, key=lambda problem: problem.status == 403)


def _reply(result: StreamingResult | NonStreamingResult, created: TurnCreated | None = None) -> Reply:
    return Reply(result.json if isinstance(result, NonStreamingResult) else aiter(result), created)


async def _notice(problem: ProblemError) -> AsyncIterator[bytes]:
    notice = NoticeEvent(level="warning", title=problem.title, message=problem.detail)
    yield b"data: " + notice.model_dump_json(exclude_none=True).encode() + b"\n\n"
