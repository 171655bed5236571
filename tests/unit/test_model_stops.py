"""How a model's stop is told: every row of the table in code, which is the table in docs/models.md."""

import random
import re
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from parley.errors import ContextTooLong, ModelBusy, ProblemError, UpstreamFailed
from parley.services import model_stops
from parley.services.model_stops import CODES, REASONS, STATUSES, TOO_LONG, RequestRefused

DOCUMENT = Path(__file__).parents[2] / "docs" / "models.md"
OTHERS: tuple[Any, ...] = (
    "stop",
    "tool_calls",
    "function_call",
    "completed",
    "unheard_of",
    "",
    None,
    7,
    {},
    ["length"],
)


def stop_of(reason: Any) -> Any:
    try:
        return model_stops.of_reason(reason)
    except ProblemError as problem:
        return type(problem)


def in_any_case(name: str) -> tuple[str, ...]:
    return name, name.upper(), name.title()


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_stops_as_the_table_says(reason: str) -> None:
    assert {stop_of(written) for written in in_any_case(reason)} == {REASONS[reason]}


@pytest.mark.parametrize("reason", OTHERS, ids=repr)
def test_any_other_reason_means_that_the_answer_is_whole(reason: Any) -> None:
    assert stop_of(reason) == "completed"


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_told_as_the_table_says(code: str) -> None:
    for written in in_any_case(code):
        for error in ({"code": written}, {"type": written, "code": None}, {"innererror": {"code": written}}):
            assert type(model_stops.of_error({"message": "x", **error})) is CODES[code]
            assert type(model_stops.of_error(error, 418)) is CODES[code]


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_is_told_as_the_table_says(status: int) -> None:
    bodies: tuple[Any, ...] = (None, "", "<html>", {}, [], {"message": "x", "code": None, "type": []})
    assert {type(model_stops.of_error(body, status)) for body in bodies} == {STATUSES[status]}
    for code in (status, str(status)):
        assert type(model_stops.of_error({"code": code})) is STATUSES[status], "in a stream"


@pytest.mark.parametrize("status", [None, 402, 408, 409, 500, 502, 504, 599])
@pytest.mark.parametrize("body", [None, "", {}, {"code": "unheard_of", "type": 7}, {"message": {}}, [1], 7])
def test_any_other_error_is_a_failure(status: int | None, body: Any) -> None:
    assert type(model_stops.of_error(body, status)) is UpstreamFailed


@pytest.mark.parametrize("words", TOO_LONG)
@pytest.mark.parametrize("status", [None, 400, 422, 500])
def test_every_wording_of_too_long_is_told_as_such(words: str, status: int | None) -> None:
    for message in in_any_case(f"Error: {words}, 210000 of 200000"):
        for body in (message, {"message": message}, {"message": message, "type": "invalid_request_error"}):
            assert type(model_stops.of_error(body, status)) is ContextTooLong


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 4097 tokens. However, your messages resulted in 5000 tokens.",
        "prompt is too long: 208310 tokens > 200000 maximum",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        "the request exceeds the available context size, try increasing it",
        "Input is too long for requested model.",
        "This model's maximum prompt length is 131072 but the request contains 200000 tokens.",
        "Please reduce the length of the messages or completion.",
        "too many tokens: total number of tokens in the prompt cannot exceed 4081",
        "Invalid request: Your request exceeded model token limit: 131072",
        "Prompt exceeds max length",
        "prompt token count of 140000 exceeds the limit of 128000",
    ],
)
def test_what_providers_say_of_a_history_that_is_too_long_is_understood(message: str) -> None:
    assert type(model_stops.of_error({"message": message, "code": None}, 400)) is ContextTooLong


@pytest.mark.parametrize(
    ("error", "status", "problem"),
    [
        ({"type": "invalid_request_error"}, 429, ModelBusy),
        ({"type": "invalid_request_error"}, 413, ContextTooLong),
        ({"type": "invalid_request_error", "code": "invalid_api_key"}, 401, UpstreamFailed),
        ({"type": "invalid_request_error", "code": "model_not_found"}, 404, UpstreamFailed),
        ({"type": "tokens", "code": "rate_limit_exceeded", "message": "too many tokens"}, 413, ModelBusy),
        ({"type": "invalid_request_error", "code": None, "message": "bad name"}, 400, RequestRefused),
        ({"type": "invalid_request_error", "code": "content_filter"}, 400, CODES["content_filter"]),
        (
            {"type": "invalid_request_error", "innererror": {"code": "ResponsibleAIPolicyViolation"}},
            400,
            CODES["content_filter"],
        ),
    ],
    ids=repr,
)
def test_of_several_names_the_one_that_says_most_counts(
    error: Any, status: int, problem: type[ProblemError]
) -> None:
    assert type(model_stops.of_error(error, status)) is problem


def retry_after(value: str | None) -> str:
    headers = {} if value is None else {"retry-after": value}
    return model_stops.of_error(None, 429, headers).headers["Retry-After"]


UNSAID = str(ModelBusy.retry_after_s)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *(("1", "1"), ("7", "7"), ("60", "60"), ("007", "7")),
        *(("0", "1"), ("0.2", "1"), ("1.2", "2"), ("2.000000000001", "3"), ("5.", "5")),
        *(("61", "60"), ("3600", "60"), ("9" * 12, "60"), ("9" * 400, "60"), ("1." + "9" * 400, "2")),
        *((None, UNSAID), ("", UNSAID), ("soon", UNSAID), ("-1", UNSAID), ("-0.5", UNSAID), ("1e3", UNSAID)),
        *(
            ("nan", UNSAID),
            ("inf", UNSAID),
            ("٣", UNSAID),
            ("1,5", UNSAID),
            ("1 2", UNSAID),
            ("0x10", UNSAID),
        ),
        *(("Mon, 99 Foo 2026 99:99:99 GMT", UNSAID), ("Wed, 21 Oct 9999999 07:28:00 GMT", UNSAID)),
        *(("Wed, 21 Oct 2015 07:28:00 GMT", "1"), ("Wed, 21 Oct 2099 07:28:00 GMT", "60")),
        *(("Mon, 01 Jan 0001 00:00:00 GMT", "1"), ("Fri, 31 Dec 9999 23:59:59 GMT", "60")),
    ],
    ids=lambda value: str(value)[:30],
)
def test_retry_after_is_whole_seconds_within_bounds(value: str | None, seconds: str) -> None:
    assert retry_after(value) == seconds


def test_retry_after_as_a_date_is_the_time_until_then() -> None:
    assert retry_after(formatdate(time.time() + 20, usegmt=True)) in ("19", "20")


def test_whatever_stands_there_retry_after_is_a_number() -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    draw = random.Random(seed)
    parts = ["Wed, ", "21 ", "Oct ", "2015 ", "07:28:00 ", "GMT", "-0000", "+9999", "99", ":", ",", " ", "\t"]
    parts += ["-", ".", "0", "1e9", "é", "(", ")", "\\", '"', "Z", "T"]
    for _ in range(5_000):
        value = "".join(draw.choices(parts, k=draw.randrange(12)))
        assert 1 <= int(retry_after(value)) <= model_stops.MAX_RETRY_S, repr(value)


def told(outcome: Any) -> tuple[str, bool, bool]:
    """What the client gets, whether with Retry-After, and whether as incomplete."""
    if outcome in ("completed", "length"):
        return "200", False, outcome == "length"
    second = ", after a second try" if outcome is RequestRefused else ""
    return f"{outcome.status} `{outcome.type}`{second}", outcome is ModelBusy, False


def documented() -> dict[str, dict[str, tuple[str, bool, bool]]]:
    """The table in the document: by how it is said, what is said, and what it leads to."""
    table: dict[str, dict[str, tuple[str, bool, bool]]] = {}
    section = DOCUMENT.read_text().partition("## How a model stops")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    for said_by, what, outcome, wait, incomplete in rows[2:]:
        assert wait in ("–", "yes")
        assert incomplete in ("–", '`"length"`')
        for name in re.findall(r"`([^`]+)`", what) or [what]:
            assert name not in table.setdefault(said_by, {}), f"{name} stands there twice"
            table[said_by][name] = (outcome, wait == "yes", incomplete != "–")
    return table


def test_the_document_has_the_same_table() -> None:
    assert documented() == {
        "finish reason": {name: told(stop) for name, stop in REASONS.items()}
        | {"any other": told("completed")},
        "error code": {name: told(problem) for name, problem in CODES.items()},
        "HTTP status": {str(status): told(problem) for status, problem in STATUSES.items()}
        | {"any other": told(UpstreamFailed)},
        "an error's words": {words: told(ContextTooLong) for words in TOO_LONG},
    }
