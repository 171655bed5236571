"""The table of prices."""

from datetime import date, timedelta

import pytest

from parley import prices
from parley.config import Settings
from parley.prices import PRICES, Price, cost_of, price_of


def test_each_price_is_plausible_and_dated_once() -> None:
    assert len({(price.model, price.since) for price in PRICES}) == len(PRICES)
    for price in PRICES:
        assert 0 < price.cached_input < price.input < price.output < 1_000, price
        assert price.since <= date.today(), price  # noqa: DTZ011 (a day's difference is none)


def test_the_default_model_has_one() -> None:
    assert price_of(Settings.model_fields["openai_model"].default, date(2026, 1, 1))


def test_a_new_price_holds_from_its_day_on(monkeypatch: pytest.MonkeyPatch) -> None:
    day = date(2026, 5, 1)
    old = Price("m", date(2026, 1, 1), 1.0, 0.1, 8.0)
    new = Price("m", day, 2.0, 0.2, 9.0)
    monkeypatch.setattr(prices, "PRICES", (new, old))
    assert price_of("m", day - timedelta(1)) == old
    assert price_of("m", day) == price_of("m-2026-04-01", day) == new
    assert price_of("m", date(2025, 12, 31)) is None
    assert price_of("m-large", day) is None


def test_cached_tokens_cost_less_and_nothing_costs_nothing() -> None:
    day = date(2026, 1, 1)
    tokens = {"input_tokens": 1_000_000, "output_tokens": 0}
    assert cost_of("gpt-5-mini", day, **tokens, cached_tokens=0) == 0.25
    assert cost_of("gpt-5-mini", day, **tokens, cached_tokens=1_000_000) == 0.025
    assert cost_of("gpt-5-mini", day, input_tokens=0, output_tokens=0, cached_tokens=0) == 0
