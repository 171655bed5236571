"""One turn that has begun: the answer is written, watched over, and stored, whoever listens."""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from agents import Agent

from parley.database import Database
from parley.errors import DeadlineExceeded, InternalError, ProblemError, Unavailable
from parley.logs import describe_error
from parley.metrics import Metric, emit
from parley.models import Message
from parley.repositories import turns
from parley.repositories.turns import Begun, Ending, NewTurn
from parley.services.agent_service import (
    AgentService,
    Decision,
    Resumption,
    Run,
    TextDelta,
    ToolProgress,
)
from parley.services.history import InputItem, estimate_tokens, input_items
from parley.tools.api_client import ApiClient

logger = logging.getLogger(__name__)

CHECKPOINT_S = 2
# Something between may take a connection for dead on which nothing happens for long.
KEEP_ALIVE_S = 10


class TurnLost(Unavailable):
    type = "/problems/turn-lost"
    title = "The answer was interrupted"
    detail = "Your message is kept. Please try again."


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


async def with_pauses(events: AsyncIterator[TurnEvent]) -> AsyncIterator[TurnEvent | None]:
    """A turn's events, and None whenever nothing has happened for KEEP_ALIVE_S."""
    upcoming = asyncio.ensure_future(anext(events))
    while True:
        done, _ = await asyncio.wait({upcoming}, timeout=KEEP_ALIVE_S)
        if not done:
            yield None
            continue
        event = upcoming.result()
        yield event
        if isinstance(event, TurnEnded):
            return
        upcoming = asyncio.ensure_future(anext(events))


# How the writing stopped.
Stop = Literal["completed", "cancelled", "waiting_approval"] | ProblemError
# Begins the work after a reply, or hands it on; returns at once.
FollowUp = Callable[[str, uuid.UUID], Awaitable[None]]


class TurnRun:
    """`run` carries it to its end and puts what happens into `events`: TurnCreated first, TurnEnded last."""

    def __init__(
        self,
        database: Database,
        service: AgentService,
        agent: Agent[Any],
        caller: ApiClient,
        follow_up: FollowUp,
        turn: NewTurn,
        begun: Begun,
    ) -> None:
        self.events: asyncio.Queue[TurnEvent] = asyncio.Queue()
        self._database = database
        self._service = service
        self._agent = agent
        self._caller = caller
        self._follow_up = follow_up
        self._turn = turn
        self._begun = begun
        self._run = Run(text=begun.content)
        self._times: dict[Metric, float] = {}

    async def run(self, deadline: float, decision: Decision | None) -> None:
        """`deadline`: on the monotonic clock. `decision`: of a resumed turn."""
        begun = self._begun
        self.events.put_nowait(TurnCreated(begun.conversation_id, begun.answer_id, begun.question_id))
        following = asyncio.create_task(self._request_follow_up())
        # Whichever is first says how the writing stopped; neither, when the deadline is.
        writing = asyncio.create_task(self._write(decision))
        watching = asyncio.create_task(self._watch())
        done, pending = await asyncio.wait(
            {writing, watching},
            timeout=max(0, deadline - time.monotonic()),
            return_when=asyncio.FIRST_COMPLETED,
        )
        stop: Stop = DeadlineExceeded()
        if done:
            stop = (writing if writing in done else watching).result()
        for task in pending:
            task.cancel()
        await asyncio.gather(following, *pending, return_exceptions=True)
        self.events.put_nowait(await self._end(stop))

    async def _write(self, decision: Decision | None) -> Stop:
        begun = self._begun
        started = time.monotonic()
        asked: list[InputItem] | Resumption
        if begun.run_state is None or decision is None:
            asked = input_items(begun.summary, begun.history, begun.question)
        else:
            asked = Resumption(begun.run_state, decision)
        stream = self._service.stream(
            self._agent, asked, self._run, begun.conversation_id, self._caller, self._turn.model
        )
        try:
            async for progress in stream:
                self._times.setdefault("TimeToFirstToken", _ms_since(started))
                self.events.put_nowait(progress)
        except ProblemError as error:
            return error
        except Exception as error:
            logger.error("turn_crashed", extra=describe_error(error))
            return InternalError()
        finally:
            self._times["ModelLatency"] = _ms_since(started)
        return "completed" if self._run.state is None else "waiting_approval"

    async def _watch(self) -> Stop:
        """Make a checkpoint every few seconds. Returns when the writing has to stop: cancelled, or lost."""
        while True:
            await asyncio.sleep(CHECKPOINT_S)
            try:
                cancel = await asyncio.to_thread(
                    turns.checkpoint_turn,
                    self._database,
                    self._turn,
                    self._begun.answer_id,
                    self._run.text,
                    self._run.call_items(),
                )
            except ProblemError:
                continue  # the lease outlasts many checkpoints
            if cancel is None:
                return TurnLost()
            if cancel:
                return "cancelled"

    async def _request_follow_up(self) -> None:
        """While the model writes, so that it costs no time: it concerns what was said before."""
        if self._begun.follow_up:
            try:
                await self._follow_up(self._turn.user_id, self._begun.conversation_id)
            except Exception as error:
                logger.warning("follow_up_not_requested", extra=describe_error(error))

    async def _end(self, stop: Stop) -> TurnEnded:
        """Store how the turn ended. What cannot be stored did not happen: the client is told so."""
        ending = self._ending(stop)
        problem = stop if isinstance(stop, ProblemError) else None
        completed_at = None
        try:
            completed_at = await asyncio.to_thread(
                turns.end_turn, self._database, self._turn, self._begun, ending
            )
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
                "message_id": str(self._begun.answer_id),
                "status": ending.status,
                "problem": problem.type if problem else None,
                "input_tokens": ending.input_tokens,
                "output_tokens": ending.output_tokens,
            },
        )
        emit({"Turns": 1}, status=ending.status if completed_at else "lost")
        emit({"InputTokens": ending.input_tokens, "OutputTokens": ending.output_tokens, **self._times})
        return TurnEnded(self._message(ending, completed_at), problem)

    def _ending(self, stop: Stop) -> Ending:
        run = self._run
        output_tokens = run.output_tokens
        if stop != "completed" and not output_tokens:
            # The model tells what a stream cost at its end only; this one was broken off.
            output_tokens = estimate_tokens(run.text) if run.text else 0
        return Ending(
            status="failed" if isinstance(stop, ProblemError) else stop,
            content=run.text,
            tokens=estimate_tokens(run.text, run.run_items),
            run_items=run.run_items,
            run_state=run.state,
            error=stop.document() if isinstance(stop, ProblemError) else None,
            model=self._turn.model,
            input_tokens=run.input_tokens,
            output_tokens=output_tokens,
        )

    def _message(self, ending: Ending, completed_at: datetime | None) -> Message:
        """The assistant's message as `end_turn` has stored it, without reading it back."""
        return Message(
            id=self._begun.answer_id,
            conversation_id=self._begun.conversation_id,
            reply_to=self._begun.question_id,
            completed_at=completed_at,
            **asdict(ending),
        )


def _ms_since(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 1)
