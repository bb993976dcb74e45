"""A bill by a model's rates is the bill that the price list makes of it."""

from __future__ import annotations

import random
from datetime import datetime

import pytest

from promptops.engine import price_catalogue

genai_prices = pytest.importorskip("genai_prices")
NAMES = ["gpt-4o", "gpt-5-mini", "o3", "claude-sonnet-4-5", "claude-haiku-4-5", "gemini-2.5-pro"]
NAMES += ["mistral-large-latest", "deepseek-chat", "grok-4"]


@pytest.mark.parametrize("name", NAMES)
def test_a_bill_by_rates_is_the_list_s_own(name: str) -> None:
    """Short and long requests, with and without a cache: to twelve digits."""
    rng = random.Random(name)
    for tokens in (1, 17, 900, 19_999, 20_001, 150_000, 400_000):
        cached, written = rng.randrange(tokens // 2 + 1), rng.randrange(tokens // 4 + 1)
        usage = {"input_tokens": tokens, "output_tokens": rng.randrange(1, 3_000)}
        usage |= {"cache_read_tokens": cached} if cached else {}
        usage |= {"cache_write_tokens": written} if written else {}
        listed = genai_prices.calc_price(genai_prices.Usage(**usage), name)
        mine = price_catalogue.cost(
            name, tokens, usage["output_tokens"], cached=cached, written=written
        )
        assert mine == pytest.approx(float(listed.total_price), rel=1e-12), usage


@pytest.mark.parametrize("name", ["gpt-4o", "o3", "deepseek-chat", "claude-opus-4-6"])
def test_the_list_is_not_asked_for_each_call(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calculating a bill takes as long as recording the call: it is done once per model, and once
    a minute where its prices depend on the day or the hour.
    """
    monkeypatch.setattr(price_catalogue.time, "time", lambda: 1_790_000_000.0)
    first = price_catalogue.cost(name, 10, 10)
    calls: list[object] = []
    monkeypatch.setattr(genai_prices, "calc_price", lambda *_, **__: calls.append(1))
    assert first is not None
    assert [price_catalogue.cost(name, n, n) for n in range(100)][10] == pytest.approx(first)
    assert calls == []


def test_a_price_follows_the_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is cheaper at night is billed by the minute of the call, at a change too."""
    found = set()
    for clock in ("00:29:59", "00:30:00", "12:00:00", "16:29:59", "16:30:00", "20:00:00"):
        at = datetime.fromisoformat(f"2026-06-01T{clock}+00:00")
        monkeypatch.setattr(price_catalogue.time, "time", at.timestamp)
        usage = genai_prices.Usage(input_tokens=9_000, output_tokens=400, cache_read_tokens=1_000)
        listed = genai_prices.calc_price(usage, "deepseek-chat", genai_request_timestamp=at)
        mine = price_catalogue.cost("deepseek-chat", 9_000, 400, cached=1_000)
        assert mine == pytest.approx(float(listed.total_price), rel=1e-12), clock
        found.add(mine)
    assert len(found) == 2
