"""A tool call: the one type for it, from the model's stream to storage, history and clients.

Among a message's run items a call is stored as the model wrote it, with `outcome` beside that: what became of
the call, for people. The model reads neither `outcome` nor a call that no model's API would accept.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel

from parley.text import INVALID_ARGUMENTS, clean

# An input item of the Responses API, as the Agents SDK writes it.
RunItem = dict[str, Any]

CallStatus = Literal["in_progress", "completed", "failed", "waiting_approval", "rejected", "cancelled"]

CALL, OUTPUT, _OUTCOME = "function_call", "function_call_output", "outcome"
# What the APIs of models accept.
CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class ToolCall(BaseModel, frozen=True):
    """`arguments` is the JSON that the model wrote, as it wrote it; `duration_ms` is not always known.

    `rejected`: was not made, because the user decided so. `cancelled`: its turn ended before it did.
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
        call = {"type": CALL, "call_id": self.call_id, "name": self.name, "arguments": self.arguments}
        items = [with_outcome(call, {self.call_id: self})]
        if self.output is not None:
            items.append({"type": OUTPUT, "call_id": self.call_id, "output": self.output})
        return items


def with_outcome(item: RunItem, calls: Mapping[str, ToolCall]) -> RunItem:
    """`item` as it is stored: a call as it was written, with its outcome; anything else unchanged."""
    call = calls.get(item.get("call_id", ""))
    if item.get("type") != CALL or call is None:
        return item
    item = item | {"name": call.name, "arguments": call.arguments}
    if call.status == "in_progress":
        return item
    return item | {_OUTCOME: {"status": call.status, "duration_ms": call.duration_ms}}


def safe_call(name: str, arguments: str) -> tuple[str, str]:
    """The name and the arguments of a call as every model's API accepts them."""
    if not _NAME.fullmatch(name):
        name = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64] or "unnamed"
    arguments = arguments or "{}"
    try:
        parsed = json.loads(arguments)
        cleaned = json.dumps(clean(parsed))
        as_written = cleaned == json.dumps(parsed)
    except (ValueError, RecursionError):
        return name, INVALID_ARGUMENTS
    if not isinstance(parsed, dict):
        return name, INVALID_ARGUMENTS
    return name, arguments if as_written else cleaned


def replayed_calls(run_items: Sequence[RunItem], taken: set[str]) -> list[RunItem]:
    """Stored run items with their calls as any model's API accepts them, under ids that are not `taken` yet.

    Outputs directly follow the calls that were made at once. Calls without an output, and outputs without a
    call, are left out.
    """
    outputs = _outputs_by_position(run_items)
    replayed: list[RunItem] = []
    waiting: list[RunItem] = []
    for position, item in enumerate(run_items):
        if item.get("type") == CALL:
            if position in outputs:
                call_id = _free_id(item["call_id"], taken)
                name, arguments = safe_call(item["name"], item["arguments"])
                replayed.append({"type": CALL, "call_id": call_id, "name": name, "arguments": arguments})
                waiting.append({"type": OUTPUT, "call_id": call_id, "output": outputs[position]})
            continue
        replayed += waiting
        waiting.clear()
        if item.get("type") != OUTPUT:
            replayed.append(item)
    return replayed + waiting


def _outputs_by_position(run_items: Sequence[RunItem]) -> dict[int, Any]:
    """The outputs of calls, by where the call is."""
    outputs: dict[int, Any] = {}
    made: dict[str, list[int]] = {}
    for position, item in enumerate(run_items):
        if item.get("type") == CALL:
            made.setdefault(item["call_id"], []).append(position)
        elif item.get("type") == OUTPUT and made.get(item["call_id"]):
            outputs[made[item["call_id"]].pop(0)] = item["output"]
    return outputs


def _free_id(call_id: str, taken: set[str]) -> str:
    number = len(taken)
    while call_id in taken or not CALL_ID.fullmatch(call_id):
        number += 1
        call_id = f"call_{number}"
    taken.add(call_id)
    return call_id


def read_tool_calls(run_items: Sequence[RunItem] | None, turn_status: str) -> list[ToolCall]:
    """The tool calls among a message's run items. `turn_status` is the message's, as of now."""
    outputs = {item["call_id"]: item["output"] for item in run_items or [] if item.get("type") == OUTPUT}
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
        if item.get("type") == CALL
    ]


def _status(item: RunItem, has_output: bool, turn_status: str) -> Any:
    stored = item.get(_OUTCOME, {}).get("status")
    # A call of an agent that is used as a tool has no output here.
    if has_output or stored in ("completed", "rejected"):
        return stored or "completed"
    if turn_status == "in_progress":
        return "in_progress"
    if turn_status == "waiting_approval":
        return stored or "in_progress"
    # A message sent instead of a decision rejects the calls that waited. Any other open call may have run.
    return "rejected" if stored == "waiting_approval" and turn_status == "cancelled" else "cancelled"
