"""A bill by a model's rates is the bill that the price list makes of it."""

from __future__ import annotations

import random

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


def test_the_list_is_not_asked_for_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calculating a bill takes as long as recording the call: it is done once per model."""
    price_catalogue.cost("gpt-4o", 10, 10)
    calls: list[object] = []
    monkeypatch.setattr(genai_prices, "calc_price", lambda *_, **__: calls.append(1))
    assert [price_catalogue.cost("gpt-4o", n, n) for n in range(100)][1] == pytest.approx(1.25e-5)
    assert calls == []
