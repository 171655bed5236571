"""From stored messages to the model's input items."""

from typing import Any

from parley.models.tool_call import RunItem, finished_calls, without_outcome

SUMMARY_PREFACE = "What was said earlier in this conversation, in short:\n\n"


def input_items(summary: str | None, history: list[dict[str, Any]], question: str) -> list[RunItem]:
    """The history window and the question as the Responses API takes them, oldest first.

    The summary takes the place of the messages it stands for, as `system`: every provider knows that role.
    """
    items: list[RunItem] = []
    if summary is not None:
        items.append({"role": "system", "content": SUMMARY_PREFACE + summary})
    for message in history:
        said = message["run_items"] or [{"role": message["role"], "content": message["content"]}]
        items += [without_outcome(item) for item in paired(said)]
    return [*items, {"role": "user", "content": question}]


def paired(items: list[RunItem]) -> list[RunItem]:
    """Run items without tool calls that have no output, such as a turn leaves that broke off.

    The model's API refuses such calls, outputs without their call, and reasoning without what it led to.
    """
    finished = finished_calls(items)
    whole: list[RunItem] = []
    for item in items:
        if item.get("call_id") is None or item["call_id"] in finished:
            whole.append(item)
        else:
            _drop_reasoning_at_end(whole)
    _drop_reasoning_at_end(whole)
    return whole


def _drop_reasoning_at_end(items: list[RunItem]) -> None:
    while items and items[-1].get("type") == "reasoning":
        items.pop()


def estimate_tokens(content: str, run_items: list[RunItem] | None = None) -> int:
    """An upper guess, cheap and independent of the model: three bytes a token, and four for the message."""
    size = len(content.encode())
    if run_items:
        size = sum(len(str(item).encode()) for item in run_items)
    return size // 3 + 4
