"""A turn that has begun. Its answer is written and stored whether or not a client listens."""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from agents import Agent

from parley import tracing
from parley.database import Database
from parley.errors import (
    ContentRefused,
    DatabaseUnavailable,
    DeadlineExceeded,
    InternalError,
    NotFound,
    ProblemError,
    Unavailable,
    UpstreamFailed,
)
from parley.logs import describe_error
from parley.metrics import Metric, emit
from parley.models import Message
from parley.models.tool_call import OUTPUT, RunItem, ToolCall
from parley.models.turn import Resume
from parley.repositories import turns
from parley.repositories.turns import Begun, NewTurn, Reached
from parley.services.agent_service import AgentOutput, AgentService, Resumption, TextDelta
from parley.services.guardrails import judges_answers, judges_calls
from parley.services.history import estimate_tokens, input_items
from parley.tools.api_client import ApiClient

logger = logging.getLogger(__name__)

CHECKPOINT_S = 2.0
# Proxies close connections on which nothing happens for long.
KEEP_ALIVE_S = 10
# After the deadline: how long the writing may take to stop, and the storing until the client is told.
STOP_PATIENCE_S = 0.4
STORE_PATIENCE_S = 1.2


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
            async with asyncio.timeout(KEEP_ALIVE_S):
                event = await events.get()
        except TimeoutError:
            yield None
            continue
        yield event
        if isinstance(event, TurnEnded):
            return


EndStatus = Literal["completed", "failed", "cancelled", "waiting_approval"]
# How the writing stopped.
Stop = Literal["completed", "cancelled", "waiting_approval"] | ProblemError
# Begins the work after a reply, or hands it on, and returns at once. Is given the ids of the user, of the
# conversation, and of the answer whose question the guardrails have accepted.
FollowUp = Callable[[str, uuid.UUID, uuid.UUID], Awaitable[None]]


@dataclass(eq=False, kw_only=True, slots=True)
class RunningTurn:
    """`finish` carries the turn to its end, with a TurnCreated first in `events` and a TurnEnded last.

    Where the agent has output guardrails, text is stored only once they have let it pass. `hold_answers`: it
    is not shown before either.
    """

    turn: NewTurn
    begun: Begun
    database: Database
    agent_service: AgentService
    agent: Agent[Any]
    api_client: ApiClient
    follow_up: FollowUp
    hold_answers: bool
    events: asyncio.Queue[TurnEvent] = field(default_factory=asyncio.Queue)
    output: AgentOutput = field(init=False)
    # The end of the output's text, which output guardrails have not let pass yet.
    unjudged: str = ""
    judges_answers: bool = field(init=False)
    judges_calls: bool = field(init=False)
    times: dict[Metric, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.output = AgentOutput(text=self.begun.content)
        self.judges_answers = judges_answers(self.agent)
        self.judges_calls = judges_calls(self.agent)

    async def finish(self, deadline: float) -> None:
        """`deadline`: on the monotonic clock. The end is there STORE_PATIENCE_S later, whatever happens."""
        begun = self.begun
        self.events.put_nowait(TurnCreated(begun.conversation_id, begun.answer_id, begun.question_id))
        ended = TurnEnded(self._answer(InternalError()), InternalError())
        storing: asyncio.Task[TurnEnded] | None = None
        try:
            with tracing.span("invoke_workflow turn", self._ids()):
                stop = await self._stopped(deadline)
                storing = asyncio.create_task(self._end(stop))
                await asyncio.wait({storing}, timeout=_until(deadline + STORE_PATIENCE_S))
                # The storing goes on, but the client does not see an answer that may not be kept.
                ended = (
                    storing.result() if storing.done() else TurnEnded(ended.message, DatabaseUnavailable())
                )
                if ended.problem is not None:
                    tracing.fail(ended.problem.type)
        except Exception as error:
            logger.error("turn_crashed", extra=describe_error(error))
        finally:
            self.events.put_nowait(ended)
        if storing is not None:
            await asyncio.wait({storing})

    def _ids(self) -> tracing.Attributes:
        return {
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.conversation.id": str(self.begun.conversation_id),
            "gen_ai.request.model": self.begun.model,
            "parley.message_id": str(self.begun.answer_id),
        }

    async def _stopped(self, deadline: float) -> Stop:
        """Let the agent write until it is done, or has to stop."""
        following = asyncio.create_task(self._request_follow_up())
        writing = asyncio.create_task(self._write())
        watching = asyncio.create_task(self._watch())
        await asyncio.wait({writing, watching}, timeout=_until(deadline), return_when=asyncio.FIRST_COMPLETED)
        stop: Stop = DeadlineExceeded()
        if writing.done():
            stop = _result(writing)
        elif watching.done():
            stop = _result(watching)
        for task in (writing, watching):
            task.cancel()
        if not self.output.accepted.is_set():
            following.cancel()
        # A tool may refuse to be cancelled. It is left behind.
        await asyncio.wait({following, writing, watching}, timeout=max(STOP_PATIENCE_S, _until(deadline)))
        return stop

    async def _write(self) -> Stop:
        started = time.monotonic()
        stream = self.agent_service.stream(
            self.agent,
            self._given(),
            self.output,
            api_client=self.api_client,
            model=self.begun.model,
            own_instructions=self.begun.instructions,
        )
        try:
            async for progress in stream:
                self.times.setdefault("TimeToFirstToken", _ms_since(started))
                self._show(progress)
            self._let_pass()
        except ProblemError as error:
            return error
        except Exception as error:
            logger.error("turn_crashed", extra=describe_error(error))
            return InternalError()
        finally:
            self.times["ModelLatency"] = _ms_since(started)
        return "completed" if self.output.state is None else "waiting_approval"

    def _show(self, progress: TextDelta | ToolCall) -> None:
        if not isinstance(progress, TextDelta):
            # Output guardrails judge the text after the last call. What precedes it, they never do.
            self._let_pass()
        elif self.hold_answers or self.judges_answers:
            self.unjudged += progress.delta
            if self.hold_answers:
                return
        self.events.put_nowait(progress)

    def _let_pass(self) -> None:
        if self.unjudged and self.hold_answers:
            self.events.put_nowait(TextDelta(self.unjudged))
        self.unjudged = ""

    def _given(self) -> list[RunItem] | Resumption:
        begun, act = self.begun, self.turn.act
        if begun.run_state is not None and isinstance(act, Resume):
            return Resumption(begun.run_state, act.decision)
        origin = self.agent_service.origin(begun.model)
        return input_items(begun.summary, begun.history, begun.question, origin)

    async def _watch(self) -> Stop:
        """Make a checkpoint every few seconds. Returns when the writing has to stop: cancelled, or lost."""
        while True:
            await asyncio.sleep(CHECKPOINT_S)
            try:
                cancel = await self.database.call(
                    turns.checkpoint_turn, self.turn, self.begun.answer_id, self._reached()
                )
            except ProblemError:
                continue  # the lease outlasts many checkpoints
            if cancel is None:
                return TurnLost()
            if cancel:
                return "cancelled"

    def _reached(self) -> Reached:
        content, items = self._let_pass_so_far()
        spent = self.output.spent()
        return Reached(
            content, items or None, self.output.accepted.is_set(), spent.input_tokens, spent.output_tokens
        )

    def _let_pass_so_far(self) -> tuple[str, list[RunItem]]:
        """The text and the calls that output guardrails have let pass, or do not judge."""
        items = self.output.call_items()
        if self.judges_calls:
            items = [item for item in items if item["type"] != OUTPUT]
        return self.output.text.removesuffix(self.unjudged), items

    async def _request_follow_up(self) -> None:
        """While the model writes, so that it costs no time: it is about what was said before."""
        if not self.begun.follow_up:
            return
        await self.output.accepted.wait()
        try:
            await self.follow_up(self.turn.user_id, self.begun.conversation_id, self.begun.answer_id)
        except Exception as error:
            logger.warning("follow_up_not_requested", extra=describe_error(error))

    async def _end(self, stop: Stop) -> TurnEnded:
        """Store how the turn ended. If that fails, no client sees an answer that is not kept."""
        answer = self._answer(stop)
        problem = stop if isinstance(stop, ProblemError) else None
        try:
            if not await self.database.call(turns.end_turn, answer, self.output.accepted.is_set()):
                deleted = await self.database.call(turns.charge_deleted_turn, answer)
                problem = NotFound("The conversation has been deleted.") if deleted else TurnLost()
        except ProblemError as error:
            problem = error
        except Exception as error:
            logger.error("turn_not_stored", extra=describe_error(error))
            problem = InternalError()
            await self._end_bare(answer, problem)
        self._report(answer, problem)
        return TurnEnded(answer, problem)

    async def _end_bare(self, answer: Message, problem: ProblemError) -> None:
        """Free the conversation and charge the turn, though what was written cannot be stored."""
        bare = {"content": "", "run_items": None, "run_state": None, "status": "failed"}
        answer.sqlmodel_update(bare | {"error": problem.document()})
        try:
            await self.database.call(turns.end_turn, answer, self.output.accepted.is_set())
        except Exception as error:
            logger.error("turn_not_ended", extra=describe_error(error))

    def _report(self, answer: Message, problem: ProblemError | None) -> None:
        tokens = answer.model_dump(include={"input_tokens", "cached_tokens", "output_tokens"})
        ended = {"message_id": str(answer.id), "status": answer.status}
        usage = {f"gen_ai.usage.{name}": tokens[name] for name in ("input_tokens", "output_tokens")}
        tracing.note({"parley.turn.status": answer.status, **usage})
        logger.info("turn_ended", extra={**ended, "problem": problem.type if problem else None, **tokens})
        emit({"Turns": 1}, status=answer.status if answer.completed_at else "lost")
        emit(
            {
                "InputTokens": tokens["input_tokens"],
                "CachedTokens": tokens["cached_tokens"],
                "OutputTokens": tokens["output_tokens"],
                **self.times,
            }
        )

    def _answer(self, stop: Stop) -> Message:
        """The assistant's message as it is to be stored."""
        begun, output = self.begun, self.output
        status: EndStatus = "failed" if isinstance(stop, ProblemError) else stop
        if self.unjudged or (self.judges_calls and status in ("failed", "cancelled")):
            output.text, items = self._let_pass_so_far()
            output.run_items = items or None
        if output.report:
            output.report.is_closed = True
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
            "model": begun.model,
            "incomplete": output.incomplete if status == "completed" else None,
            "withheld": isinstance(stop, ContentRefused),
            **output.spent()._asdict(),
        }
        return Message(**values)


def _result(task: asyncio.Task[Stop]) -> Stop:
    """How a task that is done says that the turn stops. It may have been cancelled by what ran in it."""
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    if error is None:
        return task.result()
    logger.error("turn_crashed", extra=describe_error(error))
    # What is no Exception comes from a guardrail or a tool.
    return InternalError() if isinstance(error, Exception) else UpstreamFailed()


def _until(moment: float) -> float:
    return max(0, moment - time.monotonic())


def _ms_since(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 1)
