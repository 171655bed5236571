"""Between stored messages and the model's input items."""

from typing import Any

InputItem = dict[str, Any]


# How a tool call went, kept with the call among the run items: for people, never sent to the model.
OUTCOME = "outcome"

SUMMARY_PREFACE = "What was said earlier in this conversation, in short:\n\n"


def input_items(summary: str | None, history: list[dict[str, Any]], question: str) -> list[InputItem]:
    """The stored window and the question in the Responses API's wire form, oldest first.

    The summary stands where the messages stood that it replaces; `system` is the role that every provider
    knows.
    """
    items: list[InputItem] = []
    if summary is not None:
        items.append({"role": "system", "content": SUMMARY_PREFACE + summary})
    for message in history:
        said = message["run_items"] or [{"role": message["role"], "content": message["content"]}]
        items += [_as_the_model_wrote_it(item) for item in paired(said)]
    return [*items, {"role": "user", "content": question}]


def _as_the_model_wrote_it(item: InputItem) -> InputItem:
    return {name: value for name, value in item.items() if name != OUTCOME}


def paired(items: list[InputItem]) -> list[InputItem]:
    """Run items without tool calls that have no output, as a turn leaves them that was broken off.

    The model's API refuses such calls, outputs without their call, and reasoning without what it led to.
    """
    calls = {item["call_id"] for item in items if item.get("type") == "function_call"}
    outputs = {item["call_id"] for item in items if item.get("type") == "function_call_output"}
    whole: list[InputItem] = []
    for item in items:
        if item.get("call_id") is None or item["call_id"] in calls & outputs:
            whole.append(item)
        else:
            while whole and whole[-1].get("type") == "reasoning":
                whole.pop()
    while whole and whole[-1].get("type") == "reasoning":
        whole.pop()
    return whole


def estimate_tokens(content: str, run_items: list[InputItem] | None = None) -> int:
    """An upper guess, cheap and independent of the model: three bytes a token and some for the message."""
    size = len(content.encode())
    if run_items:
        size = sum(len(str(item).encode()) for item in run_items)
    return size // 3 + 4


def tool_calls(run_items: list[InputItem] | None, turn_status: str) -> list[dict[str, Any]]:
    """The tool calls among run items as clients see them: api.messages.ToolCall."""
    # A message may come in the short form, which has no type.
    items = [item for item in run_items or [] if "type" in item]
    outputs = {item["call_id"]: item["output"] for item in items if item["type"] == "function_call_output"}
    return [
        {
            "call_id": item["call_id"],
            "name": item["name"],
            "arguments": item["arguments"],
            "output": outputs.get(item["call_id"]),
            "status": _call_status(item, item["call_id"] in outputs, turn_status),
            "duration_ms": item.get(OUTCOME, {}).get("duration_ms"),
        }
        for item in items
        if item["type"] == "function_call"
    ]


def _call_status(call: InputItem, has_output: bool, turn_status: str) -> str:
    noted = call.get(OUTCOME, {}).get("status")
    if has_output:
        return noted or "completed"
    if turn_status in ("in_progress", "waiting_approval"):
        return turn_status
    # Whoever went on without deciding has decided against it. Any other open call may have been at work.
    return "rejected" if noted == "waiting_approval" and turn_status == "cancelled" else "cancelled"
