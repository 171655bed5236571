"""From a ChatKit request to the act that it starts. Raises ProblemError and the SDK's NotFoundError."""

import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

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

from parley.chatkit.items import APPROVE, REJECT, message_id, message_items, questions_of, request_items
from parley.chatkit.requests import identifier, message_text, wrong
from parley.database import Database
from parley.models import Message
from parley.models.tool_call import ToolCall, read_tool_calls
from parley.models.turn import Act, Decision, Regenerate, Resume, Send
from parley.repositories import messages
from parley.repositories.messages import MessageState
from parley.tools.client_tools import Kind

StartsTurn = StreamingReq | ThreadsSyncCustomActionReq


@dataclass(frozen=True, slots=True)
class Plan:
    """`items`: what the SDK looks for in the thread before the turn begins.

    `waiting`: the answer that a Resume continues, if it still waits.
    """

    act: Act
    items: Sequence[ThreadItem] = ()
    waiting: Message | None = None


class Planner:
    def __init__(self, database: Database, client_tools: Mapping[str, Kind], models: Collection[str]) -> None:
        self._database = database
        self._client_tools = client_tools
        self._models = models

    def plan(self, request: StartsTurn, user_id: str) -> Plan:
        """Blocks: it reads the messages that the request names."""
        plan = self._plan(request, user_id)
        item_id = getattr(request.params, "item_id", None)
        if item_id is not None and item_id not in {item.id for item in plan.items}:
            # The SDK would miss it only after the turn has begun.
            raise wrong("params/item_id", "This item of the message cannot be used for this.")
        return plan

    def _plan(self, request: StartsTurn, user_id: str) -> Plan:
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
        return Plan(Send(conversation_id, message_text(message), model))

    def _retry(self, user_id: str, thread_id: str, item_id: str) -> Plan:
        question = self._message(user_id, thread_id, item_id)
        if question.message.role != "user":
            raise wrong("params/item_id", "Only what follows a user's message can be tried again.")
        answer = messages.get_answer(self._database, user_id, question.message.id)
        if answer is None:
            raise NotFoundError
        model = answer.model if answer.model in self._models else None
        act = Regenerate(answer.conversation_id, answer.id, named_id=question.message.id, model=model)
        return Plan(act, message_items(question.message, question.status, self._client_tools))

    def _client_tool_output(self, user_id: str, thread_id: str, output: str) -> Plan:
        page = messages.list_messages(self._database, user_id, identifier(thread_id), limit=1)
        if not page.data:
            raise NotFoundError
        answer = page.data[0]
        calls = self._calls(answer, "client_tool")
        if not calls:
            raise wrong("params/thread_id", "This thread waits for no client tool.")
        return self._resume(answer, calls[:1], approved=True, output=output)

    def _structured_input(
        self, user_id: str, thread_id: str, item_id: str, submission: StructuredInputSubmission
    ) -> Plan:
        answer = self._message(user_id, thread_id, item_id)
        _, _, call_id = item_id.partition(":")
        calls = [call for call in self._calls(answer, "question") if call.call_id == call_id]
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
        if calls and calls[0].call_id != call_id:
            # An earlier widget: the decision must not touch the calls that wait now.
            calls = [call for call in self._all_calls(answer, None) if call.call_id == call_id]
        if not calls:
            raise wrong("params/item_id", "This item has no such action.")
        return self._resume(answer, calls, approved=params.action.type == APPROVE)

    def _resume(
        self,
        answer: MessageState,
        calls: Sequence[ToolCall],
        *,
        approved: bool,
        output: str | None = None,
    ) -> Plan:
        """Resume the turn of `answer`. If it does not wait any more, the client gets its result again."""
        ids = frozenset(call.call_id for call in calls)
        outputs = {} if output is None else dict.fromkeys(ids, output)
        message = answer.message
        model = message.model if message.model in self._models else None
        act = Resume(message.conversation_id, message.id, Decision(approved, ids, outputs), model)
        waiting = message if answer.status == "waiting_approval" else None
        return Plan(act, request_items(message, calls, self._client_tools), waiting)

    def _message(self, user_id: str, thread_id: str, item_id: str) -> MessageState:
        message = message_id(item_id)
        state = messages.get_message(self._database, user_id, message) if message else None
        if state is None or state.message.conversation_id != identifier(thread_id):
            raise NotFoundError
        return state

    def _calls(self, answer: MessageState, kind: Kind | None) -> list[ToolCall]:
        """The answer's calls of a kind that wait, or else all of the kind. None: those that need approval."""
        calls = self._all_calls(answer, kind)
        return [call for call in calls if call.status == "waiting_approval"] or calls

    def _all_calls(self, answer: MessageState, kind: Kind | None) -> list[ToolCall]:
        calls = read_tool_calls(answer.message.run_items, answer.status)
        return [call for call in calls if self._client_tools.get(call.name) == kind]


def _answers(call: ToolCall, submission: StructuredInputSubmission) -> str:
    """The user's answers as the model reads them."""
    given = {} if submission.status == "skipped" else submission.answers
    answers = []
    for question in questions_of(call.arguments):
        answer = given.get(question.id)
        values = answer.values if answer and not answer.skipped else []
        answers.append({"question": question.question, "answer": values or "skipped"})
    return json.dumps(answers, ensure_ascii=False)
