"""The turn: begun and ended by one statement each, the model run in between, nothing held meanwhile."""

import asyncio
import hashlib
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import assert_never

from parley.config import Settings
from parley.database import Database
from parley.errors import (
    DeadlineExceeded,
    Forbidden,
    InternalError,
    KeyReused,
    NotFound,
    ProblemError,
    QuotaExceeded,
    TurnInProgress,
    Unavailable,
)
from parley.ids import new_id
from parley.logs import describe_error
from parley.models import Message
from parley.repositories import messages, turns
from parley.repositories.turns import Begun, Ending, Limits, NewTurn, Refused, Replay
from parley.services.agent_service import AgentService, Run, TextDelta, ToolProgress
from parley.services.history import estimate_tokens, input_items

logger = logging.getLogger(__name__)

TITLE_LENGTH = 60
# What is left of the platform's time after the deadline, to store what was written and to answer.
PLATFORM_MARGIN_S = 1.5
RETRY_AFTER_S = 2


class TurnLost(Unavailable):
    type = "/problems/turn-lost"
    title = "The answer was interrupted"
    detail = "Your message is kept. Please try again."


@dataclass(frozen=True, slots=True)
class TurnRequest:
    user_id: str
    message: str
    conversation_id: uuid.UUID | None
    idempotency_key: str | None


@dataclass(frozen=True, slots=True)
class TurnCreated:
    conversation_id: uuid.UUID
    message_id: uuid.UUID
    user_message_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """A turn's last event, with the assistant's message as it is stored. `replayed`: it had ended before."""

    message: Message
    problem: ProblemError | None = None
    replayed: bool = False


TurnEvent = TurnCreated | TextDelta | ToolProgress | TurnEnded


class TurnService:
    """`start` is the way in; a turn that has begun runs to its end whether or not anybody listens."""

    def __init__(self, database: Database, agent: AgentService, settings: Settings) -> None:
        self._database = database
        self._agent = agent
        self._deadline_s = settings.turn_deadline_s
        self._limits = Limits(
            settings.history_tokens, settings.quota_turns_per_day, settings.quota_tokens_per_day
        )
        # The event loop itself keeps only weak references to tasks.
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(
        self, request: TurnRequest, platform_remaining_s: float | None = None
    ) -> AsyncIterator[TurnEvent]:
        """Begin a turn and return its events: a TurnCreated first, a TurnEnded last.

        `platform_remaining_s`: when the platform will cut the process off. Raises ProblemError when the turn
        does not begin; the question is stored if and only if this returns.
        """
        deadline_s = self._deadline_s
        if platform_remaining_s is not None:
            deadline_s = min(deadline_s, platform_remaining_s - PLATFORM_MARGIN_S)
        deadline = time.monotonic() + deadline_s
        turn = self._new_turn(request)
        beginning = await asyncio.to_thread(turns.begin_turn, self._database, turn, self._limits)
        match beginning:
            case Begun():
                events: asyncio.Queue[TurnEvent] = asyncio.Queue()
                task = asyncio.create_task(self._run(turn, beginning, deadline, events))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                return _until_ended(events)
            case Replay():
                return await self._replay(turn.user_id, beginning.answer_id)
            case Refused():
                raise _refusal(beginning)
        assert_never(beginning)

    async def close(self) -> None:
        """Let the running turns end, then drop the connections to the model."""
        await asyncio.gather(*self._tasks)
        await self._agent.close()

    def _new_turn(self, request: TurnRequest) -> NewTurn:
        body = json.dumps([request.message, str(request.conversation_id)])
        return NewTurn(
            user_id=request.user_id,
            conversation_id=request.conversation_id,
            new_conversation_id=new_id(),
            title=_title(request.message),
            question_id=new_id(),
            answer_id=new_id(),
            run_id=new_id(),
            content=request.message,
            tokens=estimate_tokens(request.message),
            idempotency_key=request.idempotency_key,
            request_hash=hashlib.sha256(body.encode()).hexdigest(),
            model=self._agent.model,
        )

    async def _run(
        self, turn: NewTurn, begun: Begun, deadline: float, events: asyncio.Queue[TurnEvent]
    ) -> None:
        events.put_nowait(TurnCreated(begun.conversation_id, begun.answer_id, begun.question_id))
        run = Run()
        problem: ProblemError | None = None
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                items = input_items(begun.history, turn.content)
                async for progress in self._agent.stream(items, begun.conversation_id, run):
                    events.put_nowait(progress)
        except TimeoutError:
            problem = DeadlineExceeded()
        except ProblemError as error:
            problem = error
        except Exception as error:
            logger.error("turn_crashed", extra=describe_error(error))
            problem = InternalError()
        events.put_nowait(await self._end(turn, begun, run, problem))

    async def _end(self, turn: NewTurn, begun: Begun, run: Run, problem: ProblemError | None) -> TurnEnded:
        """Store how the turn ended. What cannot be stored did not happen: the client is told so."""
        ending = Ending(
            status="failed" if problem else "completed",
            content=run.text,
            tokens=estimate_tokens(run.text, run.run_items),
            run_items=run.run_items,
            error=problem.document() if problem else None,
            model=self._agent.model,
            input_tokens=run.input_tokens,
            output_tokens=run.output_tokens,
        )
        completed_at = None
        try:
            completed_at = await asyncio.to_thread(turns.end_turn, self._database, turn, begun, ending)
            if completed_at is None:
                problem = TurnLost()
        except ProblemError as error:
            problem = error
        except Exception as error:
            logger.error("turn_not_stored", extra=describe_error(error))
            problem = InternalError()
        logger.info(
            "turn_ended",
            extra={
                "message_id": str(begun.answer_id),
                "problem": problem.type if problem else None,
                "input_tokens": run.input_tokens,
                "output_tokens": run.output_tokens,
            },
        )
        return TurnEnded(_answer(begun, ending, completed_at), problem)

    async def _replay(self, user_id: str, answer_id: uuid.UUID) -> AsyncIterator[TurnEvent]:
        state = await asyncio.to_thread(messages.get_message, self._database, user_id, answer_id)
        if state is None:
            raise NotFound
        return _replayed(state.message)


def _answer(begun: Begun, ending: Ending, completed_at: datetime | None) -> Message:
    """The assistant's message as `end_turn` has stored it, without reading it back."""
    return Message(
        id=begun.answer_id,
        conversation_id=begun.conversation_id,
        reply_to=begun.question_id,
        completed_at=completed_at,
        **asdict(ending),
    )


async def _until_ended(events: asyncio.Queue[TurnEvent]) -> AsyncIterator[TurnEvent]:
    while True:
        event = await events.get()
        yield event
        if isinstance(event, TurnEnded):
            return


async def _replayed(message: Message) -> AsyncIterator[TurnEvent]:
    assert message.reply_to is not None  # noqa: S101 (an assistant's message always answers one)
    yield TurnCreated(message.conversation_id, message.id, message.reply_to)
    yield TextDelta(message.content)
    yield TurnEnded(message, replayed=True)


def _refusal(refused: Refused) -> ProblemError:
    match refused.reason:
        case "busy":
            return TurnInProgress(RETRY_AFTER_S)
        case "key_reused":
            return KeyReused()
        case "over_quota":
            return QuotaExceeded(_seconds_until_tomorrow())
        case "not_found":
            return NotFound()
        case "forbidden":
            return Forbidden()
    assert_never(refused.reason)


def _seconds_until_tomorrow() -> int:
    """Until the next day begins in UTC, when the quota is fresh."""
    return 86_400 - int(time.time()) % 86_400


def _title(message: str) -> str:
    """A conversation's first title: the beginning of its first message."""
    words = " ".join(message.split())
    if len(words) <= TITLE_LENGTH:
        return words or "New conversation"
    return words[:TITLE_LENGTH].rsplit(" ", 1)[0] + "…"
