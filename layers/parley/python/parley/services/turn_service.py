"""The turn: begun by one statement, ended by another, with nothing held while the model writes."""

import asyncio
import hashlib
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, assert_never

from agents import Agent, FunctionTool

from parley import errors
from parley.config import Settings
from parley.database import Database
from parley.models.turn import Act, Edit, Regenerate, Resume, Send
from parley.repositories import messages, turns
from parley.repositories.messages import MessageState
from parley.repositories.turns import Begun, Limits, NewTurn, Refusal, Refused, Replay
from parley.services.agent_service import AgentService, TextDelta
from parley.services.history import OWN_INSTRUCTIONS, estimate_tokens
from parley.services.ownership import own_message
from parley.services.running_turn import FollowUp, RunningTurn, TurnCreated, TurnEnded, TurnEvent
from parley.services.shares import Shares
from parley.tools.api_client import ApiClient

TITLE_LENGTH = 60
# How long after its deadline a turn may begin, for its client to hear of it.
BEGIN_PATIENCE_S = 1.0
# Kept of the platform's time after the deadline, to store what was written and to answer.
PLATFORM_MARGIN_S = 1.5
# More would only slow all of them down: one core does about 30 turns a second.
MAX_TURNS_AT_ONCE = 200
# Of one user's requests, so many wait to begin: a quarter of all. The database begins them one by one, and a
# connection would be kept for each that waits there.
MAX_BEGINNING = 50
# A worker sees the request to cancel at its next checkpoint; the promise is 3 s.
CANCEL_PATIENCE_S = 2.6
CANCEL_POLL_S = 0.2
# Of one user, and as many wait.
CANCELS_AT_ONCE = 8


class StoredProblem(errors.ProblemError):
    """The error that a turn ended with, read back."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(document["detail"])
        self.status, self.type, self.title = document["status"], document["type"], document["title"]


@dataclass(frozen=True, slots=True)
class Client:
    """The client that starts a turn. The agent's tools call the API with `token`, the user's own.

    `platform_remaining_s`: the time until the platform cuts the process off, if it does.
    """

    user_id: str
    token: str = field(repr=False)
    idempotency_key: str | None
    platform_remaining_s: float | None


@dataclass(eq=False, kw_only=True)
class TurnService:
    """`start` begins a turn, which then runs to its end whether or not a client listens."""

    settings: Settings
    database: Database
    agent_service: AgentService
    agent: Agent[Any]
    make_api_client: Callable[[str, str, uuid.UUID], ApiClient]
    follow_up: FollowUp
    hold_answers: bool = False
    user_instructions: bool = True
    # The event loop itself keeps only weak references to tasks.
    beginning: set[asyncio.Task[asyncio.Queue[TurnEvent]]] = field(default_factory=set, init=False)
    tasks: set[asyncio.Task[None]] = field(default_factory=set, init=False)
    begins: Shares = field(
        default_factory=lambda: Shares(1, MAX_BEGINNING - 1, errors.TooManyTurns), init=False
    )
    cancels: Shares = field(
        default_factory=lambda: Shares(CANCELS_AT_ONCE, CANCELS_AT_ONCE, errors.TooManyRequests), init=False
    )

    async def start(self, act: Act, client: Client) -> asyncio.Queue[TurnEvent]:
        """Begin a turn and return its events: a TurnCreated first, a TurnEnded last.

        Raises ProblemError when the turn does not begin. The question is stored if and only if this returns.
        A turn that begins after its deadline is an exception to that, and ends at once.
        """
        deadline_s = self.settings.turn_deadline_s
        if client.platform_remaining_s is not None:
            deadline_s = min(deadline_s, client.platform_remaining_s - PLATFORM_MARGIN_S)
        deadline = time.monotonic() + deadline_s
        if len(self.beginning) + len(self.tasks) >= MAX_TURNS_AT_ONCE:
            raise errors.Overloaded
        beginning = asyncio.create_task(self._begin(act, client, deadline))
        self.beginning.add(beginning)
        beginning.add_done_callback(self.beginning.discard)
        await asyncio.wait({beginning}, timeout=max(0, deadline + BEGIN_PATIENCE_S - time.monotonic()))
        if not beginning.done():
            raise errors.DatabaseUnavailable
        return beginning.result()

    async def _begin(self, act: Act, client: Client, deadline: float) -> asyncio.Queue[TurnEvent]:
        turn = self._new_turn(act, client)
        async with self.begins.hold(client.user_id):
            result = await self.database.call(turns.begin_turn, turn, self._limits)
        match result:
            case Begun():
                return self._start_task(turn, result, client.token, deadline)
            case Replay():
                return await self._replay(turn.user_id, result.answer_id)
            case Refused():
                raise _refusal(result.reason)
        assert_never(result)

    async def cancel(self, user_id: str, conversation_id: uuid.UUID, answer_id: uuid.UUID) -> MessageState:
        """Stop a running turn and return its message, which keeps its text. An ended one stays as it is.

        Raises ProblemError. A worker that does not react in time is taken for dead.
        """
        async with self.cancels.hold(user_id):
            return await self._cancel(user_id, conversation_id, answer_id)

    async def _cancel(self, user_id: str, conversation_id: uuid.UUID, answer_id: uuid.UUID) -> MessageState:
        running = await self.database.call(turns.request_cancel, user_id, answer_id)
        patience = time.monotonic() + CANCEL_PATIENCE_S
        while True:
            state = await self.database.call(own_message, user_id, conversation_id, answer_id)
            if not running or state.status != "in_progress":
                return state
            if time.monotonic() > patience:
                await self.database.call(turns.force_cancel, user_id, answer_id)
            else:
                await asyncio.sleep(CANCEL_POLL_S)

    async def wait(self) -> None:
        """Let the running turns end."""
        await asyncio.gather(*self.beginning, return_exceptions=True)
        await asyncio.gather(*self.tasks)

    async def close(self) -> None:
        """Drop the connections to the model."""
        await self.agent_service.close()

    @cached_property
    def _limits(self) -> Limits:
        settings = self.settings
        return Limits(
            history_tokens=settings.history_tokens,
            quota_turns=settings.quota_turns_per_day,
            quota_tokens=settings.quota_tokens_per_day,
            turns_at_once=settings.turns_at_once,
            fixed_tokens=_fixed_tokens(self.agent),
            models=settings.models,
            fence_tokens=estimate_tokens(OWN_INSTRUCTIONS) if self.user_instructions else None,
        )

    def _new_turn(self, act: Act, client: Client) -> NewTurn:
        message = act.message if isinstance(act, Send | Edit) else ""
        return NewTurn(
            user_id=client.user_id,
            act=act,
            idempotency_key=client.idempotency_key,
            request_hash=_request_hash(act),
            model=None if isinstance(act, Resume) else act.model,
            title=_title(message),
            tokens=estimate_tokens(message),
            guarded=bool(self.agent.input_guardrails),
        )

    def _start_task(
        self, turn: NewTurn, begun: Begun, token: str, deadline: float
    ) -> asyncio.Queue[TurnEvent]:
        running = RunningTurn(
            turn=turn,
            begun=begun,
            database=self.database,
            agent_service=self.agent_service,
            agent=self.agent,
            api_client=self.make_api_client(turn.user_id, token, begun.conversation_id),
            follow_up=self.follow_up,
            hold_answers=self.hold_answers,
        )
        task = asyncio.create_task(running.finish(deadline))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return running.events

    async def _replay(self, user_id: str, answer_id: uuid.UUID) -> asyncio.Queue[TurnEvent]:
        state = await self.database.call(messages.get_message, user_id, answer_id)
        if state is None:
            raise errors.NotFound
        message = state.message
        assert message.reply_to is not None  # noqa: S101 (an assistant's message always answers one)
        problem: errors.ProblemError | None = StoredProblem(message.error) if message.error else None
        if problem is None and message.status == "interrupted":
            problem = errors.MessageSuperseded()  # otherwise it would have run again
        events: asyncio.Queue[TurnEvent] = asyncio.Queue()
        events.put_nowait(TurnCreated(message.conversation_id, message.id, message.reply_to))
        if message.content:
            events.put_nowait(TextDelta(message.content))
        events.put_nowait(TurnEnded(message, problem, replayed=True))
        return events


def _request_hash(act: Act) -> str:
    """Equal for requests that ask for the same. One idempotency key may stand for one hash only.

    A model that is not named is left out, but where it always had a place: hashes are stored.
    """
    parts: list[str | None]
    match act:
        case Send(conversation_id, message, model):
            parts = ["send", str(conversation_id), message, model]
        case Regenerate(conversation_id, answer_id, named_id, model):
            parts = [
                "regenerate",
                str(conversation_id),
                str(named_id or answer_id),
                *([model] if model else []),
            ]
        case Edit(conversation_id, question_id, message, model):
            parts = ["edit", str(conversation_id), str(question_id), message, *([model] if model else [])]
        case Resume(conversation_id, answer_id, decision):
            # Without the calls: which of them wait depends on when the request arrives.
            outputs = sorted(set(decision.outputs.values()))
            parts = ["resume", str(conversation_id), str(answer_id), str(decision.approved), *outputs]
        case _:
            assert_never(act)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _fixed_tokens(agent: Agent[Any]) -> int:
    """What the model reads in every request beside the conversation, as far as it is known beforehand."""
    tools = [tool for tool in agent.tools if isinstance(tool, FunctionTool)]
    described = [[tool.name, tool.description, tool.params_json_schema] for tool in tools]
    return estimate_tokens(json.dumps([str(agent.instructions or ""), described]))


def _refusal(reason: Refusal) -> errors.ProblemError:
    detail = "An answer can be regenerated, a question can be edited."
    problems: dict[Refusal, errors.ProblemError] = {
        "busy": errors.TurnInProgress(),
        "key_reused": errors.KeyReused(),
        # Until the next day begins in UTC, when the quota is fresh.
        "over_quota": errors.QuotaExceeded(retry_after_s=86_400 - int(time.time()) % 86_400),
        "quota_reserved": errors.QuotaReserved(),
        "too_many": errors.TooManyTurns(),
        "not_found": errors.NotFound(),
        "forbidden": errors.Forbidden(),
        "superseded": errors.MessageSuperseded(),
        "wrong_role": errors.Unprocessable([{"pointer": "/path/message_id", "detail": detail}]),
    }
    return problems[reason]


def _title(message: str) -> str:
    """A conversation's first title: the beginning of its first message."""
    words = " ".join(message.split())
    if len(words) <= TITLE_LENGTH:
        return words or "New conversation"
    return words[:TITLE_LENGTH].rsplit(" ", 1)[0] + "…"
