"""A turn that has begun. Its answer is written and stored whether or not a client listens."""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from agents import Agent

from parley.database import Database
from parley.errors import DeadlineExceeded, InternalError, ProblemError, Unavailable
from parley.logs import describe_error
from parley.metrics import Metric, emit
from parley.models import Message
from parley.models.tool_call import RunItem, ToolCall
from parley.models.turn import Resume
from parley.repositories import turns
from parley.repositories.turns import Begun, NewTurn
from parley.services.agent_service import AgentOutput, AgentService, Resumption, TextDelta
from parley.services.history import estimate_tokens, input_items
from parley.tools.api_client import ApiClient

logger = logging.getLogger(__name__)

CHECKPOINT_S = 2.0
# Proxies close connections on which nothing happens for long.
KEEP_ALIVE_S = 10


class TurnLost(Unavailable, problem="turn-lost"):
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


TurnEvent = TurnCreated | TextDelta | ToolCall | TurnEnded


async def until_ended(events: asyncio.Queue[TurnEvent]) -> AsyncIterator[TurnEvent | None]:
    """A turn's events, and None whenever nothing has happened for KEEP_ALIVE_S."""
    while True:
        try:
            event = await asyncio.wait_for(events.get(), KEEP_ALIVE_S)
        except TimeoutError:
            yield None
            continue
        yield event
        if isinstance(event, TurnEnded):
            return


EndStatus = Literal["completed", "failed", "cancelled", "waiting_approval"]
# How the writing stopped.
Stop = Literal["completed", "cancelled", "waiting_approval"] | ProblemError
# Begins the work after a reply, or hands it on; returns at once.
FollowUp = Callable[[str, uuid.UUID], Awaitable[None]]


@dataclass(eq=False, kw_only=True, slots=True)
class RunningTurn:
    """`finish` carries the turn to its end, with a TurnCreated first in `events` and a TurnEnded last."""

    turn: NewTurn
    begun: Begun
    database: Database
    agent_service: AgentService
    agent: Agent[Any]
    api_client: ApiClient
    follow_up: FollowUp
    events: asyncio.Queue[TurnEvent] = field(default_factory=asyncio.Queue)
    output: AgentOutput = field(init=False)
    times: dict[Metric, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.output = AgentOutput(text=self.begun.content)

    async def finish(self, deadline: float) -> None:
        """`deadline`: on the monotonic clock."""
        begun = self.begun
        self.events.put_nowait(TurnCreated(begun.conversation_id, begun.answer_id, begun.question_id))
        following = asyncio.create_task(self._request_follow_up())
        writing = asyncio.create_task(self._write())
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

    async def _write(self) -> Stop:
        started = time.monotonic()
        stream = self.agent_service.stream(
            self.agent,
            self._given(),
            self.output,
            api_client=self.api_client,
            model=self.turn.model,
        )
        try:
            async for progress in stream:
                self.times.setdefault("TimeToFirstToken", _ms_since(started))
                self.events.put_nowait(progress)
        except ProblemError as error:
            return error
        except Exception as error:
            logger.error("turn_crashed", extra=describe_error(error))
            return InternalError()
        finally:
            self.times["ModelLatency"] = _ms_since(started)
        return "completed" if self.output.state is None else "waiting_approval"

    def _given(self) -> list[RunItem] | Resumption:
        begun, act = self.begun, self.turn.act
        if begun.run_state is not None and isinstance(act, Resume):
            return Resumption(begun.run_state, act.decision)
        return input_items(
            begun.summary, begun.history, begun.question, self.agent_service.origin(self.turn.model)
        )

    async def _watch(self) -> Stop:
        """Make a checkpoint every few seconds. Returns when the writing has to stop: cancelled, or lost."""
        while True:
            await asyncio.sleep(CHECKPOINT_S)
            output = self.output
            try:
                cancel = await self.database.call(
                    turns.checkpoint_turn,
                    self.turn,
                    self.begun.answer_id,
                    output.text,
                    output.call_items(),
                )
            except ProblemError:
                continue  # the lease outlasts many checkpoints
            if cancel is None:
                return TurnLost()
            if cancel:
                return "cancelled"

    async def _request_follow_up(self) -> None:
        """While the model writes, so that it costs no time: it is about what was said before."""
        if self.begun.follow_up:
            try:
                await self.follow_up(self.turn.user_id, self.begun.conversation_id)
            except Exception as error:
                logger.warning("follow_up_not_requested", extra=describe_error(error))

    async def _end(self, stop: Stop) -> TurnEnded:
        """Store how the turn ended. If that fails, no client sees an answer that is not kept."""
        answer = self._answer(stop)
        problem = stop if isinstance(stop, ProblemError) else None
        try:
            answer.completed_at = await self.database.call(turns.end_turn, answer)
            if answer.completed_at is None:
                problem = TurnLost()
        except ProblemError as error:
            problem = error
        except Exception as error:
            logger.error("turn_not_stored", extra=describe_error(error))
            problem = InternalError()
        self._report(answer, problem)
        return TurnEnded(answer, problem)

    def _report(self, answer: Message, problem: ProblemError | None) -> None:
        tokens = answer.model_dump(include={"input_tokens", "output_tokens"})
        ended = {"message_id": str(answer.id), "status": answer.status}
        logger.info("turn_ended", extra={**ended, "problem": problem.type if problem else None, **tokens})
        emit({"Turns": 1}, status=answer.status if answer.completed_at else "lost")
        emit({"InputTokens": tokens["input_tokens"], "OutputTokens": tokens["output_tokens"], **self.times})

    def _answer(self, stop: Stop) -> Message:
        """The assistant's message as it is to be stored."""
        begun, output = self.begun, self.output
        output_tokens = output.output_tokens
        if stop != "completed" and not output_tokens and output.text:
            # The model reports what a stream cost at its end only, and this one broke off.
            output_tokens = estimate_tokens(output.text)
        status: EndStatus = "failed" if isinstance(stop, ProblemError) else stop
        # What the turn changes of the row, and what finds it.
        values: dict[str, Any] = {
            "id": begun.answer_id,
            "conversation_id": begun.conversation_id,
            "user_id": self.turn.user_id,
            "reply_to": begun.question_id,
            "lease_id": self.turn.lease_id,
            "status": status,
            "content": output.text,
            "tokens": estimate_tokens(output.text, output.run_items),
            "run_items": output.run_items,
            "run_state": output.state,
            "error": stop.document() if isinstance(stop, ProblemError) else None,
            "model": self.turn.model,
            "input_tokens": output.input_tokens,
            "output_tokens": output_tokens,
        }
        return Message(**values)


def _ms_since(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 1)
