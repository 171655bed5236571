"""From stored messages to the model's input items."""

from typing import Any

from parley.services.history import input_items, paired

CALL = {"type": "function_call", "call_id": "c1", "name": "look_up", "arguments": '{"word": "x"}'}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "found"}
REASONING = {"type": "reasoning", "id": "rs_1", "encrypted_content": "…"}
ANSWER = {"role": "assistant", "content": "Found."}


def message(role: str, content: str, run_items: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"role": role, "content": content, "run_items": run_items}


def test_the_window_becomes_items_and_the_question_comes_last() -> None:
    history = [message("user", "Look it up"), message("assistant", "Found.", [CALL, OUTPUT, ANSWER])]
    items = input_items(None, history, "And now?")
    assert items == [
        {"role": "user", "content": "Look it up"},
        CALL,
        OUTPUT,
        ANSWER,
        {"role": "user", "content": "And now?"},
    ]


def test_the_summary_comes_first() -> None:
    first, question = input_items("Ada likes parrots.", [], "Go on")
    assert first["role"] == "system"
    assert first["content"].endswith("Ada likes parrots.")
    assert question["content"] == "Go on"


def test_a_call_without_its_output_is_not_replayed() -> None:
    assert paired([CALL, ANSWER]) == [ANSWER]
    assert paired([OUTPUT, ANSWER]) == [ANSWER]
    assert paired([REASONING, CALL, ANSWER]) == [ANSWER]
    other = CALL | {"call_id": "c2"}
    assert paired([REASONING, CALL, OUTPUT, REASONING, other]) == [REASONING, CALL, OUTPUT]
    assert paired([ANSWER, REASONING]) == [ANSWER]


def test_a_whole_turn_is_replayed_as_it_was() -> None:
    whole = [REASONING, CALL, OUTPUT, REASONING, ANSWER]
    assert paired(whole) == whole


def test_the_model_never_reads_what_became_of_a_call() -> None:
    stored = CALL | {"outcome": {"status": "failed", "duration_ms": 12}}
    history = [message("assistant", "Found.", [stored, OUTPUT, ANSWER])]
    assert input_items(None, history, "Go on")[:-1] == [CALL, OUTPUT, ANSWER]
