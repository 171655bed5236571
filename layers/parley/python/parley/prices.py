"""What models cost, in US dollars per million tokens: the one table for `GET /usage` and for the dashboard.

It is edited here. A new price is a new line, so that the days before it keep theirs. A model that is not
listed has no price, and its cost is unknown.
"""

import re
from datetime import date
from typing import NamedTuple


class Price(NamedTuple):
    """`cached_input`: of those tokens of the input that the model's prompt cache had."""

    model: str
    since: date
    input: float
    cached_input: float
    output: float


# As https://platform.openai.com/docs/pricing lists them for the standard tier.
PRICES = (
    Price("gpt-5.5", date(2026, 4, 1), 5.0, 0.5, 30.0),
    Price("gpt-5.4", date(2026, 3, 1), 2.5, 0.25, 15.0),
    Price("gpt-5.4-mini", date(2026, 3, 1), 0.75, 0.075, 4.5),
    Price("gpt-5.4-nano", date(2026, 3, 1), 0.2, 0.02, 1.25),
    Price("gpt-5.1", date(2025, 11, 13), 1.25, 0.125, 10.0),
    Price("gpt-5", date(2025, 8, 7), 1.25, 0.125, 10.0),
    Price("gpt-5-mini", date(2025, 8, 7), 0.25, 0.025, 2.0),
    Price("gpt-5-nano", date(2025, 8, 7), 0.05, 0.005, 0.4),
    Price("gpt-4.1", date(2025, 4, 14), 2.0, 0.5, 8.0),
    Price("gpt-4.1-mini", date(2025, 4, 14), 0.4, 0.1, 1.6),
    Price("gpt-4.1-nano", date(2025, 4, 14), 0.1, 0.025, 0.4),
    Price("gpt-4o", date(2024, 10, 1), 2.5, 1.25, 10.0),
    Price("gpt-4o-mini", date(2024, 7, 18), 0.15, 0.075, 0.6),
    Price("o3", date(2025, 6, 10), 2.0, 0.5, 8.0),
    Price("o4-mini", date(2025, 4, 16), 1.1, 0.275, 4.4),
)
_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")


def price_of(model: str, day: date) -> Price | None:
    """What held on that day. A dated snapshot, such as `gpt-5-mini-2025-08-07`, costs what its model does."""
    for name in (model, _SNAPSHOT.sub("", model)):
        listed = [price for price in PRICES if price.model == name and price.since <= day]
        if listed:
            return max(listed, key=lambda price: price.since)
    return None


def cost_of(
    model: str, day: date, *, input_tokens: int, cached_tokens: int, output_tokens: int
) -> float | None:
    """In US dollars; None where the price is not known. `cached_tokens` are part of `input_tokens`."""
    price = price_of(model, day)
    if price is None:
        return None
    millionths = (
        (input_tokens - cached_tokens) * price.input
        + cached_tokens * price.cached_input
        + output_tokens * price.output
    )
    return round(millionths / 1_000_000, 6)
