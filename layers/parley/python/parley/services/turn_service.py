"""The turn: begun and ended by one statement each, the model run in between, nothing held meanwhile."""

import asyncio
import hashlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, assert_never

from agents import Agent

from parley.config import Settings
from parley.database import Database
from parley.errors import (
    Forbidden,
    KeyReused,
    MessageSuperseded,
    NotFound,
    Overloaded,
    ProblemError,
    QuotaExceeded,
    TurnInProgress,
    Unprocessable,
)
from parley.ids import new_id
from parley.models import Message
from parley.repositories import messages, turns
from parley.repositories.messages import MessageState
from parley.repositories.turns import Begun, Kind, Limits, NewTurn, Refused, Replay
from parley.services.agent_service import AgentService, Decision, TextDelta
from parley.services.history import estimate_tokens
from parley.services.turn_run import FollowUp, TurnCreated, TurnEnded, TurnEvent, TurnRun
from parley.tools.api_client import ApiClient

TITLE_LENGTH = 60
# What is left of the platform's time after the deadline, to store what was written and to answer.
PLATFORM_MARGIN_S = 1.5
# More would only make all of them slow: one core does about 30 turns a second.
MAX_TURNS_AT_ONCE = 200
# A worker sees the request to cancel at its next checkpoint; the promise is 3 s.
CANCEL_PATIENCE_S = 2.6
CANCEL_POLL_S = 0.2


class StoredProblem(ProblemError):
    """The error that a turn ended with, read back."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(document["detail"])
        self.status, self.type, self.title = document["status"], document["type"], document["title"]


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """`target_id`: the answer to regenerate or resume, or the question to edit, which alone needs `message`.

    `decision`: about the tool calls of the turn to resume. `model`: none for the default one.
    `named_id`: what the client named in the target's place, and will name again with the same key.
    `token`: the user's own, with which the agent's tools call the API.
    """

    user_id: str
    token: str = field(repr=False)
    kind: Kind
    conversation_id: uuid.UUID | None
    target_id: uuid.UUID | None
    message: str
    decision: Decision | None
    idempotency_key: str | None
    model: str | None = None
    named_id: uuid.UUID | None = None


class TurnService:
    """`start` is the way in; a turn that has begun runs to its end whether or not anybody listens."""

    def __init__(
        self,
        database: Database,
        service: AgentService,
        agent: Agent[Any],
        make_caller: Callable[[str, str, uuid.UUID], ApiClient],
        follow_up: FollowUp,
        settings: Settings,
    ) -> None:
        self._database = database
        self._service = service
        self._agent = agent
        self._make_caller = make_caller
        self._follow_up = follow_up
        self._deadline_s = settings.turn_deadline_s
        self._limits = Limits(
            settings.history_tokens, settings.quota_turns_per_day, settings.quota_tokens_per_day
        )
        self._admitted = 0
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
        if self._admitted >= MAX_TURNS_AT_ONCE:
            raise Overloaded
        self._admitted += 1
        try:
            turn = self._new_turn(request)
            beginning = await asyncio.to_thread(turns.begin_turn, self._database, turn, self._limits)
            match beginning:
                case Begun():
                    return self._run(request, turn, beginning, deadline)
                case Replay():
                    return await self._replay(turn.user_id, beginning.answer_id)
                case Refused():
                    raise _REFUSALS[beginning.reason]()
            assert_never(beginning)
        finally:
            self._admitted -= 1

    async def cancel(self, user_id: str, conversation_id: uuid.UUID, answer_id: uuid.UUID) -> MessageState:
        """Stop a running turn and return its message, which keeps its text; one that has ended stays so.

        Raises ProblemError. A worker that does not react within the time is taken for dead.
        """
        running = await asyncio.to_thread(turns.request_cancel, self._database, user_id, answer_id)
        patience = time.monotonic() + CANCEL_PATIENCE_S
        while True:
            state = await asyncio.to_thread(messages.get_message, self._database, user_id, answer_id)
            if state is None or state.message.conversation_id != conversation_id:
                raise await asyncio.to_thread(
                    messages.missing_message, self._database, user_id, conversation_id, answer_id
                )
            if not running or state.status != "in_progress":
                return state
            if time.monotonic() > patience:
                await asyncio.to_thread(turns.force_cancel, self._database, user_id, answer_id)
            else:
                await asyncio.sleep(CANCEL_POLL_S)

    async def close(self) -> None:
        """Let the running turns end, then drop the connections to the model."""
        await asyncio.gather(*self._tasks)
        await self._service.close()

    def _new_turn(self, request: TurnRequest) -> NewTurn:
        named = request.named_id or request.target_id
        asked = [request.kind, request.message, str(request.conversation_id), str(named)]
        # That of a turn which is there already is taken from it, and may be another when it is asked again.
        if request.model is not None and request.kind == "send":
            asked.append(request.model)
        if (decision := request.decision) is not None:
            # Not the calls: which of them wait depends on when it is asked.
            asked += [str(decision.approved), *sorted(set(decision.outputs.values()))]
        return NewTurn(
            user_id=request.user_id,
            kind=request.kind,
            conversation_id=request.conversation_id,
            target_id=request.target_id,
            new_conversation_id=new_id(),
            title=_title(request.message),
            question_id=new_id(),
            answer_id=new_id(),
            run_id=new_id(),
            content=request.message,
            tokens=estimate_tokens(request.message),
            idempotency_key=request.idempotency_key,
            request_hash=hashlib.sha256(json.dumps(asked).encode()).hexdigest(),
            model=request.model or self._service.model,
        )

    def _run(
        self, request: TurnRequest, turn: NewTurn, begun: Begun, deadline: float
    ) -> AsyncIterator[TurnEvent]:
        caller = self._make_caller(turn.user_id, request.token, begun.conversation_id)
        run = TurnRun(self._database, self._service, self._agent, caller, self._follow_up, turn, begun)
        task = asyncio.create_task(run.run(deadline, request.decision))
        self._admitted += 1
        self._tasks.add(task)
        task.add_done_callback(self._release)
        return _until_ended(run.events)

    def _release(self, task: asyncio.Task[None]) -> None:
        self._admitted -= 1
        self._tasks.discard(task)

    async def _replay(self, user_id: str, answer_id: uuid.UUID) -> AsyncIterator[TurnEvent]:
        state = await asyncio.to_thread(messages.get_message, self._database, user_id, answer_id)
        if state is None:
            raise NotFound
        return _replayed(state.message)


async def _until_ended(events: asyncio.Queue[TurnEvent]) -> AsyncIterator[TurnEvent]:
    while True:
        event = await events.get()
        yield event
        if isinstance(event, TurnEnded):
            return


async def _replayed(message: Message) -> AsyncIterator[TurnEvent]:
    assert message.reply_to is not None  # noqa: S101 (an assistant's message always answers one)
    yield TurnCreated(message.conversation_id, message.id, message.reply_to)
    if message.content:
        yield TextDelta(message.content)
    problem: ProblemError | None = StoredProblem(message.error) if message.error else None
    if problem is None and message.status == "interrupted":
        problem = MessageSuperseded()  # otherwise it would have run again
    yield TurnEnded(message, problem, replayed=True)


def _wrong_role() -> ProblemError:
    detail = "An answer can be regenerated, a question can be edited."
    return Unprocessable([{"pointer": "/path/message_id", "detail": detail}])


def _over_quota() -> ProblemError:
    """Until the next day begins in UTC, when the quota is fresh."""
    return QuotaExceeded(86_400 - int(time.time()) % 86_400)


_REFUSALS: dict[str, Callable[[], ProblemError]] = {
    "busy": TurnInProgress,
    "key_reused": KeyReused,
    "over_quota": _over_quota,
    "not_found": NotFound,
    "forbidden": Forbidden,
    "superseded": MessageSuperseded,
    "wrong_role": _wrong_role,
}


def _title(message: str) -> str:
    """A conversation's first title: the beginning of its first message."""
    words = " ".join(message.split())
    if len(words) <= TITLE_LENGTH:
        return words or "New conversation"
    return words[:TITLE_LENGTH].rsplit(" ", 1)[0] + "…"
