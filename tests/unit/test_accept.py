"""`Accept`: when a turn is sent as events, and when as JSON."""

import random
import time

import pytest

from parley.api.accept import wants_events


@pytest.mark.parametrize(
    "accept",
    [
        "text/event-stream",
        "Text/Event-STREAM",
        "text/*",
        "text/event-stream ; Q=0.001",
        "text/event-stream;charset=utf-8",
        "application/json, text/event-stream",
        "text/html, application/json;q=0.7, text/event-stream;q=0.8",
        "application/*;q=0.9, application/json;q=0.1, text/event-stream;q=0.5",
        'text/html;x="a, text/event-stream;q=0", text/event-stream',
    ],
)
def test_who_asks_for_events_gets_them(accept: str) -> None:
    assert wants_events(accept)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "application/json",
        "text/html, */*;q=0.1",
        "text/event-stream;q=0",
        "text/event-stream; q=0.000, text/*",
        "TEXT/EVENT-STREAM;Q=0",
        "text/event-stream;q=0.7, application/json;q=0.8",
        "text/event-stream;q=0.5, */*",
        "text/event-streams",
        'text/html;x="a, text/event-stream, b"',
        'text/html;x="\\", text/event-stream',
    ],
)
def test_anybody_else_gets_json(accept: str) -> None:
    assert not wants_events(accept)


def test_no_header_breaks_it_or_takes_long() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    parts = ['"', "\\", ",", ";", "q", "=", "0", ".", "*", "/", " ", "text/event-stream", "application/json"]
    headers = ["".join(draw.choices(parts, k=draw.randrange(30))) for _ in range(2_000)]
    headers += [part * (60_000 // len(part)) for part in (*parts, '\\"', '"\\', ';"', "q=")]
    started = time.process_time()
    for header in headers:
        wants_events(header)
    assert time.process_time() - started < 5
