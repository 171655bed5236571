"""ChatKit's protocol over Parley's conversations: the official SDK's server around the turn.

A turn has begun before its reply does, so that whatever is refused has a status of its own. The SDK then
tells the client what happens; its store writes nothing meanwhile, since a turn stores itself.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field

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
from parley.chatkit.items import items_of, message_id
from parley.chatkit.plans import BeginsTurn, Plan, Planner
from parley.chatkit.reader import Reader
from parley.chatkit.requests import identifier, read_request
from parley.chatkit.turn_server import TurnServer
from parley.database import Database
from parley.errors import NotFound, ProblemError, QuotaExceeded
from parley.logs import describe_error
from parley.services.ownership import missing_message
from parley.services.turn_run import TurnCreated, TurnEvent
from parley.services.turn_service import TurnRequest, TurnService
from parley.tools.client_tools import Kind

logger = logging.getLogger(__name__)


class _Causes(logging.Handler):
    """What the SDK catches and logs, with the user's text in it, as a line without."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            logger.error("chatkit_failed", extra=describe_error(record.exc_info[1]))


_sdk_logger = logging.getLogger("chatkit")
_sdk_logger.handlers = [_Causes(logging.ERROR)]
_sdk_logger.propagate = False


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks. `token`: the user's own, for the agent's tools."""

    user_id: str
    token: str = field(repr=False)
    idempotency_key: str | None
    platform_remaining_s: float | None


@dataclass(frozen=True, slots=True)
class Reply:
    """JSON, or a stream of Server-Sent Events. `answer`: of a turn."""

    content: bytes | AsyncIterator[bytes]
    answer: TurnCreated | None = None


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
        self._reader = Reader(database, client_tools)

    async def handle(self, body: bytes, visitor: Visitor) -> Reply:
        """Raises ProblemError, before anything is streamed."""
        request = read_request(body)
        try:
            if is_streaming_req(request) or isinstance(request, ThreadsSyncCustomActionReq):
                return await self._run(request, body, visitor)
            if isinstance(request, ItemsListReq):
                # An empty page would not tell whose thread it is.
                await self._reader.threads.load_thread(request.params.thread_id, visitor)
            return _reply(await self._reader.process(body, visitor))
        except NotFoundError:
            raise await asyncio.to_thread(self._missing, request, visitor.user_id) from None
        except QuotaExceeded as problem:
            if not is_streaming_req(request):
                raise
            return Reply(_notice(problem))

    async def _run(self, request: BeginsTurn, body: bytes, visitor: Visitor) -> Reply:
        plan = await asyncio.to_thread(self._planner.plan, request, visitor.user_id)
        events = await self._turns.start(
            TurnRequest(
                user_id=visitor.user_id,
                token=visitor.token,
                kind=plan.kind,
                conversation_id=plan.conversation_id,
                target_id=plan.target_id,
                named_id=plan.named_id,
                message=plan.text,
                decision=plan.decision,
                idempotency_key=visitor.idempotency_key,
                model=plan.model,
            ),
            visitor.platform_remaining_s,
        )
        created = await anext(events)
        assert isinstance(created, TurnCreated)  # noqa: S101 (the events' promise)
        told = self._tell(plan, created, events, visitor)
        server = TurnServer(created, plan.items, events, told)
        return _reply(await server.process(body, None), created)

    async def _tell(
        self, plan: Plan, created: TurnCreated, events: AsyncIterator[TurnEvent], visitor: Visitor
    ) -> AsyncIterator[ThreadStreamEvent]:
        shown: list[ThreadItem] = []
        if plan.waiting is not None:
            shown = items_of(plan.waiting, "waiting_approval", self._client_tools)
            shown += [item for item in plan.items if item.id not in {each.id for each in shown}]
        answer = AnswerEvents(created, self._client_tools, plan.waiting, shown)
        failure: CustomStreamError | None = None
        try:
            async for event in answer.translate(events):
                yield event
        except CustomStreamError as error:
            failure = error
        if (thread := await self._titled(created, visitor)) is not None:
            yield ThreadUpdatedEvent(thread=thread)
        if failure is not None:
            raise failure

    async def _titled(self, created: TurnCreated, visitor: Visitor) -> Thread | None:
        """The thread with the title that it may have got meanwhile; no answer fails for want of it."""
        try:
            thread = await self._reader.threads.load_thread(str(created.conversation_id), visitor)
        except (NotFoundError, ProblemError):
            return None
        return Thread(**thread.model_dump(exclude={"metadata"}), items=Page())

    def _missing(self, request: ChatKitReq, user_id: str) -> ProblemError:
        """What is not there is another's (403), or nobody's (404)."""
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


def _reply(result: StreamingResult | NonStreamingResult, answer: TurnCreated | None = None) -> Reply:
    return Reply(result.json if isinstance(result, NonStreamingResult) else aiter(result), answer)


async def _notice(problem: ProblemError) -> AsyncIterator[bytes]:
    notice = NoticeEvent(level="warning", title=problem.title, message=problem.detail)
    yield b"data: " + notice.model_dump_json(exclude_none=True).encode() + b"\n\n"
