"""A tool call: the one type for it, from the model's stream to storage, history and clients.

Among a message's run items a call is stored as the model wrote it, with `outcome` beside that: what became of
the call, for people. The model never reads `outcome`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel

# An input item of the Responses API, as the Agents SDK writes it.
RunItem = dict[str, Any]

CallStatus = Literal["in_progress", "completed", "failed", "waiting_approval", "rejected", "cancelled"]

_CALL, _OUTPUT, _OUTCOME = "function_call", "function_call_output", "outcome"


class ToolCall(BaseModel, frozen=True):
    """`arguments` is the JSON that the model wrote, as it wrote it; `duration_ms` is not always known.

    `rejected`: was not made, because a person decided so. `cancelled`: its turn ended before it did.
    """

    call_id: str
    name: str
    arguments: str
    output: Any = None
    status: CallStatus
    duration_ms: int | None

    def updated(self, **changes: Any) -> "ToolCall":
        return self.model_copy(update=changes)

    def run_items(self) -> list[RunItem]:
        """The call, and its output if there is one, as they are stored."""
        call = {"type": _CALL, "call_id": self.call_id, "name": self.name, "arguments": self.arguments}
        items = [with_outcome(call, {self.call_id: self})]
        if self.output is not None:
            items.append({"type": _OUTPUT, "call_id": self.call_id, "output": self.output})
        return items


def with_outcome(item: RunItem, calls: Mapping[str, ToolCall]) -> RunItem:
    """`item` as it is stored: a call with its outcome, anything else unchanged."""
    call = calls.get(item.get("call_id", ""))
    if item.get("type") != _CALL or call is None or call.status == "in_progress":
        return item
    return item | {_OUTCOME: {"status": call.status, "duration_ms": call.duration_ms}}


def without_outcome(item: RunItem) -> RunItem:
    """`item` as the model wrote it."""
    return {name: value for name, value in item.items() if name != _OUTCOME}


def read_tool_calls(run_items: Sequence[RunItem] | None, turn_status: str) -> list[ToolCall]:
    """The tool calls among a message's run items. `turn_status` is the message's, as of now."""
    outputs = {item["call_id"]: item["output"] for item in run_items or [] if item.get("type") == _OUTPUT}
    return [
        ToolCall(
            call_id=item["call_id"],
            name=item["name"],
            arguments=item["arguments"],
            output=outputs.get(item["call_id"]),
            status=_status(item, item["call_id"] in outputs, turn_status),
            duration_ms=item.get(_OUTCOME, {}).get("duration_ms"),
        )
        for item in run_items or []
        if item.get("type") == _CALL
    ]


def finished_calls(items: Sequence[RunItem]) -> set[str]:
    """The ids of the calls that have an output."""
    calls = {item["call_id"] for item in items if item.get("type") == _CALL}
    outputs = {item["call_id"] for item in items if item.get("type") == _OUTPUT}
    return calls & outputs


def _status(item: RunItem, has_output: bool, turn_status: str) -> Any:
    stored = item.get(_OUTCOME, {}).get("status")
    if has_output:
        return stored or "completed"
    if turn_status in ("in_progress", "waiting_approval"):
        return turn_status
    # A message sent instead of a decision rejects the calls that waited. Any other open call may have run.
    return "rejected" if stored == "waiting_approval" and turn_status == "cancelled" else "cancelled"
