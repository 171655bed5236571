"""Which turn a ChatKit request asks for. Raises ProblemError, and the SDK's NotFoundError."""

import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from chatkit.store import NotFoundError
from chatkit.types import (
    StreamingReq,
    StructuredInputSubmission,
    ThreadItem,
    ThreadsAddClientToolOutputReq,
    ThreadsAddStructuredInputReq,
    ThreadsAddUserMessageReq,
    ThreadsCreateReq,
    ThreadsCustomActionReq,
    ThreadsRetryAfterItemReq,
    ThreadsSyncCustomActionReq,
    UserMessageInput,
)

from parley.chatkit.items import APPROVE, REJECT, items_of, message_id, questions_of, requests_of
from parley.chatkit.requests import identifier, said, wrong
from parley.database import Database
from parley.models import Message
from parley.repositories import messages
from parley.repositories.messages import MessageState
from parley.repositories.turns import Kind as TurnKind
from parley.services.agent_service import Decision
from parley.services.history import tool_calls
from parley.tools.client_tools import Kind

BeginsTurn = StreamingReq | ThreadsSyncCustomActionReq


@dataclass(frozen=True, slots=True)
class Plan:
    """`items`: what the SDK looks for in the thread before the turn begins.

    `named_id`: as in TurnRequest. `waiting`: the answer that goes on.
    """

    kind: TurnKind
    conversation_id: uuid.UUID | None
    target_id: uuid.UUID | None = None
    named_id: uuid.UUID | None = None
    text: str = ""
    decision: Decision | None = None
    model: str | None = None
    items: Sequence[ThreadItem] = ()
    waiting: Message | None = None


class Planner:
    def __init__(self, database: Database, client_tools: Mapping[str, Kind], models: Collection[str]) -> None:
        self._database = database
        self._client_tools = client_tools
        self._models = models

    def plan(self, request: BeginsTurn, user_id: str) -> Plan:
        """Blocks: it reads what the turn goes on from."""
        plan = self._plan(request, user_id)
        item_id = getattr(request.params, "item_id", None)
        if item_id is not None and item_id not in {item.id for item in plan.items}:
            # Another part of the same message, which the SDK would only miss once the turn has begun.
            raise wrong("params/item_id", "This item is not the one that this can be done with.")
        return plan

    def _plan(self, request: BeginsTurn, user_id: str) -> Plan:
        match request:
            case ThreadsCreateReq():
                return self._new_message(None, request.params.input)
            case ThreadsAddUserMessageReq():
                return self._new_message(identifier(request.params.thread_id), request.params.input)
            case ThreadsRetryAfterItemReq():
                return self._retry(user_id, request.params.thread_id, request.params.item_id)
            case ThreadsAddClientToolOutputReq():
                result = request.params.result
                output = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
                return self._client_tool_output(user_id, request.params.thread_id, output)
            case ThreadsAddStructuredInputReq():
                item, answers = request.params.item_id, request.params.input
                return self._structured_input(user_id, request.params.thread_id, item, answers)
            case ThreadsCustomActionReq() | ThreadsSyncCustomActionReq():
                return self._approval(user_id, request)
        assert_never(request)

    def _new_message(self, conversation_id: uuid.UUID | None, message: UserMessageInput) -> Plan:
        model = message.inference_options.model
        if model is not None and model not in self._models:
            raise wrong("params/input/inference_options/model", "There is no such model here.")
        return Plan("send", conversation_id, text=said(message), model=model)

    def _retry(self, user_id: str, thread_id: str, item_id: str) -> Plan:
        question = self._message(user_id, thread_id, item_id)
        if question.message.role != "user":
            raise wrong("params/item_id", "Only what follows a user's message can be tried again.")
        answer = messages.get_answer(self._database, user_id, question.message.id)
        if answer is None:
            raise NotFoundError
        model = answer.model if answer.model in self._models else None
        items = items_of(question.message, question.status, self._client_tools)
        return Plan(
            "regenerate",
            answer.conversation_id,
            answer.id,
            named_id=question.message.id,
            model=model,
            items=items,
        )

    def _client_tool_output(self, user_id: str, thread_id: str, output: str) -> Plan:
        page = messages.list_messages(self._database, user_id, identifier(thread_id), limit=1, before=None)
        if not page.data:
            raise NotFoundError
        answer = page.data[-1]
        calls = self._calls(answer, "client_tool")
        if not calls:
            raise wrong("params/thread_id", "This thread waits for no client tool.")
        return self._resume(answer, calls[:1], approved=True, output=output)

    def _structured_input(
        self, user_id: str, thread_id: str, item_id: str, submission: StructuredInputSubmission
    ) -> Plan:
        answer = self._message(user_id, thread_id, item_id)
        _, _, call_id = item_id.partition(":")
        calls = [call for call in self._calls(answer, "question") if call["call_id"] == call_id]
        if not calls:
            raise wrong("params/item_id", "This item is no structured input.")
        return self._resume(answer, calls, approved=True, output=_answers(calls[0], submission))

    def _approval(self, user_id: str, request: ThreadsCustomActionReq | ThreadsSyncCustomActionReq) -> Plan:
        params = request.params
        if params.action.type not in (APPROVE, REJECT):
            raise wrong("params/action/type", "There is no such action.")
        if params.item_id is None:
            raise wrong("params/item_id", "The item whose action this is has to be named.")
        answer = self._message(user_id, params.thread_id, params.item_id)
        _, _, call_id = params.item_id.partition(":")
        calls = self._calls(answer, None)
        if calls and calls[0]["call_id"] != call_id:
            # Asked about before: the calls that wait now are others, about which nothing is said.
            calls = [call for call in self._all_calls(answer, None) if call["call_id"] == call_id]
        if not calls:
            raise wrong("params/item_id", "This item has no such action.")
        return self._resume(answer, calls, approved=params.action.type == APPROVE)

    def _resume(
        self,
        answer: MessageState,
        calls: Sequence[dict[str, Any]],
        *,
        approved: bool,
        output: str | None = None,
    ) -> Plan:
        """The turn of `answer` goes on. When it does not wait (any more), what came of it is told again."""
        ids = frozenset(call["call_id"] for call in calls)
        outputs = {} if output is None else dict.fromkeys(ids, output)
        return Plan(
            "resume",
            answer.message.conversation_id,
            answer.message.id,
            decision=Decision(approved, ids, outputs),
            model=answer.message.model if answer.message.model in self._models else None,
            items=requests_of(answer.message, calls, self._client_tools),
            waiting=answer.message if answer.status == "waiting_approval" else None,
        )

    def _message(self, user_id: str, thread_id: str, item_id: str) -> MessageState:
        message = message_id(item_id)
        state = messages.get_message(self._database, user_id, message) if message else None
        if state is None or state.message.conversation_id != identifier(thread_id):
            raise NotFoundError
        return state

    def _calls(self, answer: MessageState, kind: Kind | None) -> list[dict[str, Any]]:
        """The answer's calls of a kind (None: those that need approval), or those of them that wait."""
        calls = self._all_calls(answer, kind)
        return [call for call in calls if call["status"] == "waiting_approval"] or calls

    def _all_calls(self, answer: MessageState, kind: Kind | None) -> list[dict[str, Any]]:
        calls = tool_calls(answer.message.run_items, answer.status)
        return [call for call in calls if self._client_tools.get(call["name"]) == kind]


def _answers(call: Mapping[str, Any], submission: StructuredInputSubmission) -> str:
    """What the model reads of the user's answers."""
    answers = {} if submission.status == "skipped" else submission.answers
    told = []
    for asked in questions_of(call["arguments"]):
        answer = answers.get(asked.id)
        values = answer.values if answer and not answer.skipped else []
        told.append({"question": asked.question, "answer": values or "skipped"})
    return json.dumps(told, ensure_ascii=False)
