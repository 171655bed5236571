"""From a ChatKit request to the act that it starts. Raises ProblemError."""

import json
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import assert_never

from chatkit import types

from parley.chatkit.items import APPROVE, REJECT, answered, item_id, question_item, settled_widget
from parley.chatkit.requests import TurnRequest, identifier, message_text, wrong
from parley.chatkit.threads import Threads
from parley.errors import NotFound
from parley.models import Message
from parley.models.tool_call import ToolCall, read_tool_calls
from parley.models.turn import Act, Decision, Regenerate, Resume, Send
from parley.repositories import messages
from parley.repositories.messages import MessageState
from parley.services.ownership import missing
from parley.tools.client_tools import Kind


@dataclass(frozen=True, slots=True)
class Plan:
    """`waiting`: the answer that a Resume continues, if it still waits.

    `decided`: the item that the request is about, with the user's answers or decision.
    """

    act: Act
    waiting: Message | None = None
    decided: types.StructuredInputItem | types.WidgetItem | None = None


@dataclass(frozen=True, slots=True)
class Planner:
    threads: Threads
    models: Collection[str]

    def plan(self, request: TurnRequest) -> Plan:
        """Blocks: it reads the messages that the request names."""
        match request:
            case types.ThreadsCreateReq(params=params):
                return self._send(None, params.input)
            case types.ThreadsAddUserMessageReq(params=params):
                return self._send(identifier(params.thread_id), params.input)
            case types.ThreadsRetryAfterItemReq(params=params):
                return self._retry(params)
            case types.ThreadsAddClientToolOutputReq(params=params):
                return self._tool_output(params)
            case types.ThreadsAddStructuredInputReq(params=params):
                return self._answers(params)
            case types.ThreadsCustomActionReq() | types.ThreadsSyncCustomActionReq():
                return self._approval(request.params)
        assert_never(request)

    def _send(self, conversation_id: uuid.UUID | None, message: types.UserMessageInput) -> Plan:
        model = message.inference_options.model
        if model is not None and model not in self.models:
            raise wrong("params/input/inference_options/model", "There is no such model here.")
        return Plan(Send(conversation_id, message_text(message), model))

    def _retry(self, params: types.ThreadRetryAfterItemParams) -> Plan:
        question = self.threads.get_message(params.thread_id, params.item_id).message
        if question.role != "user" or params.item_id != item_id(question):
            raise wrong("params/item_id", "Only what follows a user's message can be tried again.")
        answer = messages.get_answer(self.threads.database, self.threads.user_id, question.id)
        if answer is None:
            raise NotFound
        return Plan(Regenerate(answer.conversation_id, answer.id, named_id=question.id))

    def _tool_output(self, params: types.ThreadAddClientToolOutputParams) -> Plan:
        conversation_id, result = identifier(params.thread_id), params.result
        database, user_id = self.threads.database, self.threads.user_id
        page, _ = messages.list_messages(database, user_id, conversation_id, limit=1)
        if not page:
            raise missing(database, user_id, conversation_id)
        answer = page[0]
        calls = _waiting_or_all(self._calls(answer, "client_tool"))
        if not calls:
            raise wrong("params/thread_id", "This thread waits for no client tool.")
        output = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
        return self._resume(answer, calls[:1], approved=True, output=output)

    def _answers(self, params: types.ThreadAddStructuredInputParams) -> Plan:
        answer = self.threads.get_message(params.thread_id, params.item_id)
        calls = _named(answer, params.item_id, self._calls(answer, "question"))
        if not calls:
            raise wrong("params/item_id", "This item is no structured input.")
        item = answered(question_item(answer.message, calls[0]), params.input)
        output = [
            {"question": each.question, "answer": (each.answer and each.answer.values) or "skipped"}
            for each in item.inputs
        ]
        text = json.dumps(output, ensure_ascii=False)
        return self._resume(answer, calls, approved=True, output=text, decided=item)

    def _approval(self, params: types.ThreadCustomActionParams) -> Plan:
        if params.action.type not in (APPROVE, REJECT):
            raise wrong("params/action/type", "There is no such action.")
        if params.item_id is None:
            raise wrong("params/item_id", "The item whose action this is has to be named.")
        answer = self.threads.get_message(params.thread_id, params.item_id)
        calls = self._calls(answer, None)
        named = _named(answer, params.item_id, calls)
        if not named:
            raise wrong("params/item_id", "This item has no such action.")
        approved = params.action.type == APPROVE
        widget = settled_widget(answer.message, named[0].call_id, approved=approved)
        # The widget that waits has the first call's id. An earlier one must not decide about what waits now.
        waiting = _waiting_or_all(calls)
        decided = waiting if waiting[:1] == named else named
        return self._resume(answer, decided, approved=approved, decided=widget)

    def _resume(
        self,
        answer: MessageState,
        calls: Sequence[ToolCall],
        *,
        approved: bool,
        output: str | None = None,
        decided: types.StructuredInputItem | types.WidgetItem | None = None,
    ) -> Plan:
        """Resume the turn of `answer`. If it does not wait any more, the client gets its result again."""
        ids = frozenset(call.call_id for call in calls)
        outputs = {} if output is None else dict.fromkeys(ids, output)
        message, decision = answer.message, Decision(approved, ids, outputs)
        act = Resume(message.conversation_id, message.id, decision)
        return Plan(act, message if answer.status == "waiting_approval" else None, decided)

    def _calls(self, answer: MessageState, kind: Kind | None) -> list[ToolCall]:
        """The answer's calls of a kind. None: those that need approval."""
        calls = read_tool_calls(answer.message.run_items, answer.status)
        return [call for call in calls if self.threads.client_tools.get(call.name) == kind]


def _named(answer: MessageState, item: str, calls: Sequence[ToolCall]) -> list[ToolCall]:
    """The call that an item stands for, as a list."""
    return [call for call in calls if item_id(answer.message, call.call_id) == item]


def _waiting_or_all(calls: Sequence[ToolCall]) -> list[ToolCall]:
    return [call for call in calls if call.status == "waiting_approval"] or [*calls]
