"""An answer stops at its bound, whatever room is left and however it was sent."""

import random

import pytest

from parley.services.model_report import MAX_ANSWER, ModelReport
from parley.text import json_size


@pytest.mark.parametrize("room", range(12))
@pytest.mark.parametrize(
    "said", ["", "a", "aaaaaaaaaaaaaaa", "é" * 9, "😀" * 9, '"' * 9, "\n" * 9, "\x01" * 9]
)
def test_text_is_cut_to_the_room_that_is_left(room: int, said: str) -> None:
    report = ModelReport(taken=set(), size=MAX_ANSWER - room)
    request = report.begin(lambda: 0)
    text = request.text("a", last=True) + request.text(said) + request.text("", last=True)
    assert text == ("a" + said)[: len(text)]
    assert report.size <= MAX_ANSWER
    assert (report.incomplete == "length") is (text != "a" + said)


def test_whatever_is_said_an_answer_stops_at_its_bound() -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    draw = random.Random(seed)
    for _ in range(300):
        report = ModelReport(taken=set(), size=MAX_ANSWER - draw.randrange(3_000))
        request = report.begin(lambda: 0)
        parts = []
        while report.incomplete is None:
            words = draw.choices(
                ["a", "é", "漢", "😀", "\n", '"', "\ud83d", "\ude00", "\x00"], k=draw.randrange(99)
            )
            parts.append(request.text("".join(words)))
        parts.append(request.text("", last=True))
        assert report.size <= MAX_ANSWER
        assert json_size("".join(parts)) <= MAX_ANSWER
