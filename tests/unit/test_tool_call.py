"""Tool calls among stored run items."""

from typing import Any

import pytest

from parley.models.tool_call import (
    ToolCall,
    read_tool_calls,
    replayed_calls,
    safe_call,
    with_outcome,
)
from parley.text import INVALID_ARGUMENTS

CALL = {"type": "function_call", "call_id": "c1", "name": "look_up", "arguments": '{"word": "x"}'}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "found"}
ANSWER = {"role": "assistant", "content": "Found."}


def stored(status: str, duration_ms: int | None = None) -> dict[str, Any]:
    return CALL | {"outcome": {"status": status, "duration_ms": duration_ms}}


def call(**changes: Any) -> ToolCall:
    made = {"call_id": "c1", "name": "look_up", "arguments": '{"word": "x"}', "duration_ms": None}
    return ToolCall(**{**made, "status": "completed", **changes})


def test_calls_are_read_with_their_outputs() -> None:
    assert read_tool_calls([CALL, OUTPUT, ANSWER], "completed") == [call(output="found")]
    assert read_tool_calls([stored("failed", 12), OUTPUT], "completed") == [
        call(output="found", status="failed", duration_ms=12)
    ]
    assert read_tool_calls(None, "completed") == []


@pytest.mark.parametrize(
    ("item", "turn_status", "status"),
    [
        (CALL, "in_progress", "in_progress"),
        # An agent that is used as a tool waits for a decision about one of its own calls.
        (CALL, "waiting_approval", "in_progress"),
        (CALL, "failed", "cancelled"),
        (stored("waiting_approval"), "in_progress", "in_progress"),
        (stored("waiting_approval"), "waiting_approval", "waiting_approval"),
        # A message was sent instead of a decision.
        (stored("waiting_approval"), "cancelled", "rejected"),
        # It may have been approved, and made, before the process died.
        (stored("waiting_approval"), "interrupted", "cancelled"),
        # Of an agent that is used as a tool.
        (stored("completed"), "completed", "completed"),
        (stored("rejected"), "completed", "rejected"),
    ],
)
def test_a_call_without_an_output_has_its_turns_status(
    item: dict[str, Any], turn_status: str, status: str
) -> None:
    assert [each.status for each in read_tool_calls([item], turn_status)] == [status]


@pytest.mark.parametrize("status", ["completed", "failed", "rejected"])
def test_what_is_stored_is_read_back(status: str) -> None:
    made = call(output="found", status=status, duration_ms=7)
    assert read_tool_calls(made.run_items(), "completed") == [made]


def test_an_outcome_is_kept_beside_what_the_model_wrote() -> None:
    annotated = with_outcome(CALL, {"c1": call(status="failed")})
    assert annotated == CALL | {"outcome": {"status": "failed", "duration_ms": None}}
    assert replayed_calls([annotated, OUTPUT], set()) == [CALL, OUTPUT]
    assert with_outcome(ANSWER, {"c1": call()}) == ANSWER


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (("look_up", '{"word": "x"}'), ("look_up", '{"word": "x"}')),
        (("functions.look_up", "{}"), ("functions_look_up", "{}")),
        (("", ""), ("unnamed", "{}")),
        (("ü" * 100, "{}"), ("_" * 64, "{}")),
        (("pay", '{"amount": '), ("pay", INVALID_ARGUMENTS)),
        (("pay", "null"), ("pay", INVALID_ARGUMENTS)),
        (("pay", "[" * 100_000), ("pay", INVALID_ARGUMENTS)),
        (("pay", '{"amount": 1e999}'), ("pay", '{"amount": null}')),
        (("pay", '{"to\\u0000": ["\\ud800"]}'), ("pay", '{"to\\ufffd": ["\\ufffd"]}')),
    ],
)
def test_a_call_is_made_valid_for_every_model(written: tuple[str, str], read: tuple[str, str]) -> None:
    assert safe_call(*written) == read
