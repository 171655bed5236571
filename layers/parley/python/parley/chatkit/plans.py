"""From a ChatKit request to the act that it starts. Raises ProblemError."""

import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from chatkit.types import (
    StructuredInputItem,
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

from parley.chatkit.items import APPROVE, REJECT, answered, message_items, question_item, request_items
from parley.chatkit.requests import TurnRequest, identifier, message_text, wrong
from parley.chatkit.threads import get_message
from parley.database import Database
from parley.errors import NotFound
from parley.models import Message
from parley.models.tool_call import ToolCall, read_tool_calls
from parley.models.turn import Act, Decision, Regenerate, Resume, Send
from parley.repositories import messages
from parley.repositories.messages import MessageState
from parley.services.ownership import missing_conversation
from parley.tools.client_tools import Kind


@dataclass(frozen=True, slots=True)
class Plan:
    """`items`: what the request is about. `waiting`: the answer that a Resume continues, if it still waits.

    `answered`: the structured input with the user's answers.
    """

    act: Act
    items: Sequence[ThreadItem] = ()
    waiting: Message | None = None
    answered: StructuredInputItem | None = None


class Planner:
    def __init__(self, client_tools: Mapping[str, Kind], models: Collection[str]) -> None:
        self._client_tools = client_tools
        self._models = models

    def plan(self, database: Database, user_id: str, request: TurnRequest) -> Plan:
        """Blocks: it reads the messages that the request names."""
        plan = self._plan(database, user_id, request)
        item_id = getattr(request.params, "item_id", None)
        if item_id is not None and item_id not in {item.id for item in plan.items}:
            raise wrong("params/item_id", "This item of the message cannot be used for this.")
        return plan

    def _plan(self, database: Database, user_id: str, request: TurnRequest) -> Plan:
        match request:
            case ThreadsCreateReq(params=params):
                return self._new_message(None, params.input)
            case ThreadsAddUserMessageReq(params=params):
                return self._new_message(identifier(params.thread_id), params.input)
            case ThreadsRetryAfterItemReq():
                return self._retry(database, user_id, request)
            case ThreadsAddClientToolOutputReq():
                return self._client_tool_output(database, user_id, request)
            case ThreadsAddStructuredInputReq():
                return self._structured_input(database, user_id, request)
            case ThreadsCustomActionReq() | ThreadsSyncCustomActionReq():
                return self._approval(database, user_id, request)
        assert_never(request)

    def _new_message(self, conversation_id: uuid.UUID | None, message: UserMessageInput) -> Plan:
        model = message.inference_options.model
        if model is not None and model not in self._models:
            raise wrong("params/input/inference_options/model", "There is no such model here.")
        return Plan(Send(conversation_id, message_text(message), model))

    def _retry(self, database: Database, user_id: str, request: ThreadsRetryAfterItemReq) -> Plan:
        params = request.params
        question = get_message(database, user_id, params.thread_id, params.item_id)
        if question.message.role != "user":
            raise wrong("params/item_id", "Only what follows a user's message can be tried again.")
        answer = messages.get_answer(database, user_id, question.message.id)
        if answer is None:
            raise NotFound
        model = answer.model if answer.model in self._models else None
        act = Regenerate(answer.conversation_id, answer.id, named_id=question.message.id, model=model)
        return Plan(act, message_items(question.message, question.status, self._client_tools))

    def _client_tool_output(
        self, database: Database, user_id: str, request: ThreadsAddClientToolOutputReq
    ) -> Plan:
        conversation_id, result = identifier(request.params.thread_id), request.params.result
        page = messages.list_messages(database, user_id, conversation_id, limit=1)
        if not page.data:
            raise missing_conversation(database, user_id, conversation_id)
        answer = page.data[0]
        calls = self._calls(answer, "client_tool")
        if not calls:
            raise wrong("params/thread_id", "This thread waits for no client tool.")
        output = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
        return self._resume(answer, calls[:1], approved=True, output=output)

    def _structured_input(
        self, database: Database, user_id: str, request: ThreadsAddStructuredInputReq
    ) -> Plan:
        params = request.params
        answer = get_message(database, user_id, params.thread_id, params.item_id)
        _, _, call_id = params.item_id.partition(":")
        calls = [call for call in self._calls(answer, "question") if call.call_id == call_id]
        if not calls:
            raise wrong("params/item_id", "This item is no structured input.")
        item = answered(question_item(answer.message, calls[0]), params.input)
        output = [
            {
                "question": question.question,
                "answer": (question.answer and question.answer.values) or "skipped",
            }
            for question in item.inputs
        ]
        plan = self._resume(answer, calls, approved=True, output=json.dumps(output, ensure_ascii=False))
        return replace(plan, answered=item)

    def _approval(
        self, database: Database, user_id: str, request: ThreadsCustomActionReq | ThreadsSyncCustomActionReq
    ) -> Plan:
        params = request.params
        if params.action.type not in (APPROVE, REJECT):
            raise wrong("params/action/type", "There is no such action.")
        if params.item_id is None:
            raise wrong("params/item_id", "The item whose action this is has to be named.")
        answer = get_message(database, user_id, params.thread_id, params.item_id)
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

    def _calls(self, answer: MessageState, kind: Kind | None) -> list[ToolCall]:
        """The answer's calls of a kind that wait, or else all of the kind. None: those that need approval."""
        calls = self._all_calls(answer, kind)
        return [call for call in calls if call.status == "waiting_approval"] or calls

    def _all_calls(self, answer: MessageState, kind: Kind | None) -> list[ToolCall]:
        calls = read_tool_calls(answer.message.run_items, answer.status)
        return [call for call in calls if self._client_tools.get(call.name) == kind]
