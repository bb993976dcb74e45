"""An unknown price is unknown, the caller's own prices win, and no name is guessed."""

from __future__ import annotations

import pytest

from promptops.engine import price_catalogue
from promptops.engine.prices import (
    DATED,
    PRICES,
    Price,
    Spent,
    bill,
    check_money,
    cost_of,
    cost_of_failure,
    price_of,
)
from promptops.errors import SetupError
from promptops.failure_classes import FAILURES


def test_the_table_is_dated_and_sane() -> None:
    """Every price is positive, cached input never dearer than input; the date is there to be
    shown.
    """
    assert len(DATED) == 10
    for name, price in PRICES.items():
        assert 0 < price.input <= price.output, name
        assert price.cached is None or 0 < price.cached < price.input, name


def test_a_dated_name_has_its_familys_price_and_no_other_is_guessed() -> None:
    """gpt-4o-2024-08-06 is gpt-4o; gpt-4o-mini is not; an unknown name has no price."""
    assert price_of("gpt-4o-2024-08-06") == PRICES["gpt-4o"]
    assert price_of("claude-sonnet-4-20250514") == PRICES["claude-sonnet-4"]
    assert price_of("gpt-4o-mini") != price_of("gpt-4o")
    for name in ("my-llama", "gpt-4-foo-bar", "gpt", "claude-mine", "qwen2.5:7b"):
        assert price_of(name) is None, name


def test_the_list_knows_the_models_of_today() -> None:
    """Current names of three providers have a price, with a router's prefix too, and the list is
    named where prices are shown.
    """
    for name in ("gpt-5.1", "gpt-5.6", "claude-sonnet-4-5", "claude-opus-4-5", "gemini-2.5-pro"):
        assert price_of(name) is not None, name
        assert price_of(f"vendor/{name}") == price_of(name)
    assert price_catalogue.dated().startswith("genai-prices ")


MILLION = 1_000_000
WRITTEN_1H = "cache_write_1h_tokens"
# (model that was asked for, what came back, USD worked out by hand from the providers' pages)
BILLS = [
    ("gpt-5-mini", Spent("gpt-5-mini-2025-08-07", MILLION, MILLION), 2.25),
    ("gpt-5-mini", Spent("gpt-5-mini", MILLION, MILLION, tier="flex"), 1.125),
    ("gpt-5-mini", Spent("gpt-5-mini", MILLION, MILLION, tier="batch"), 1.125),
    ("gpt-5-mini", Spent("gpt-5-mini", MILLION, MILLION, tier="priority"), 4.05),
    ("gpt-5-mini", Spent("gpt-5-mini", MILLION, MILLION, tier="default"), 2.25),
    ("gpt-5-mini", Spent("gpt-5-mini", MILLION, 0, 400_000), 0.16),
    ("our-deployment", Spent("gpt-4o-2024-08-06", MILLION, MILLION), 12.5),
    ("openai/gpt-4o", Spent(None, MILLION, 0), 2.5),
    ("claude-sonnet-4-5", Spent("claude-sonnet-4-5-20250929", 100_000, 10_000), 0.45),
    ("claude-sonnet-4-5", Spent("claude-sonnet-4-5", 100_000, 0, 50_000, 10_000), 0.1725),
    ("claude-sonnet-4-5", Spent("claude-sonnet-4-5", 100_000, 10_000, tier="batch"), 0.225),
    ("gemini-2.5-pro", Spent("gemini-2.5-pro", 100_000, 10_000), 0.225),
    ("gemini-2.5-pro", Spent("gemini-2.5-pro", MILLION, 0), 2.5),
    # what has a rate of its own: 40,000 fresh at 3, 50,000 read at 0.3, 10,000 kept an hour at 6
    (
        "claude-sonnet-4-5",
        Spent("claude-sonnet-4-5", 100_000, 0, 50_000, 10_000, None, {WRITTEN_1H: 10_000}),
        0.195,
    ),
    # 4,000 of the written ones for an hour (6), 6,000 for five minutes (3.75)
    (
        "claude-sonnet-4-5",
        Spent("claude-sonnet-4-5", 100_000, 0, 50_000, 10_000, None, {WRITTEN_1H: 4_000}),
        0.1815,
    ),
    # three searches at 10 per thousand
    (
        "claude-sonnet-4-5",
        Spent("claude-sonnet-4-5", 100_000, 0, apart={"web_searches": 3}),
        0.33,
    ),
    ("gpt-5-mini", Spent("gpt-5-mini", 100_000, 0, apart={"web_searches": 5}), 0.075),
    # half of it sound at 1, half of it text at 0.3
    (
        "gemini-2.5-flash",
        Spent("gemini-2.5-flash", 100_000, 0, apart={"input_audio_tokens": 50_000}),
        0.065,
    ),
    ("claude-opus-4-8", Spent("claude-opus-4-8", 100_000, 10_000, tier="fast"), 1.5),
]


@pytest.mark.parametrize(("asked", "spent", "usd"), BILLS, ids=lambda part: str(part)[:40])
def test_bills_are_right_to_the_cent(asked: str, spent: Spent, usd: float) -> None:
    """By the model that answered, its tier, what was cached and what was written into the cache."""
    assert bill(asked, spent) == pytest.approx(usd, abs=1e-9)


@pytest.mark.parametrize(
    ("asked", "spent"),
    [
        ("gpt-5-mini", Spent("gpt-5-mini", None, 5)),
        ("gpt-5-mini", Spent("gpt-5-mini", 5, None)),
        ("gpt-5-mini", Spent("gpt-5-mini", 5, 5, tier="a tier of tomorrow")),
        ("my-llama", Spent("my-llama", 5, 5)),
        ("gpt-4o", Spent("gpt-4o", 5, 5, apart={"input_audio_tokens": 3})),  # no rate is listed
        ("deepseek-chat", Spent("deepseek-chat", 5, 5, apart={"storage_searches": 1})),
        (
            "gemini-2.5-flash",  # which of the cached ones were sound is not told
            Spent("gemini-2.5-flash", 9, 5, 5, apart={"input_audio_tokens": 7}),
        ),
    ],
)
def test_an_unknown_part_of_a_bill_makes_it_unknown(asked: str, spent: Spent) -> None:
    """Never zero, and never the price of another tier."""
    assert bill(asked, spent) is None


def test_the_callers_price_is_the_bill() -> None:
    """Also where the list knows the model that answered."""
    spent = Spent("gpt-4o", MILLION, MILLION, tier="flex")
    assert bill("mine", spent, {"mine": (1, 2)}) == 3.0
    assert bill("mine", spent, {"gpt-4o": ("1", "2")}) == 3.0


@pytest.mark.parametrize(
    "entry",
    [
        (1, 2),
        (1, 2, 0.5),
        {"input": 1, "output": 2},
        Price(1.0, 2.0),
        ("1", "2"),
        {"input": " 1 ", "output": "2.0", "cached": "0.5"},
        Price("1", "2"),  # type: ignore[arg-type]  # as YAML and the environment give them
    ],
)
def test_the_callers_prices_win_in_any_form(entry: object) -> None:
    """A tuple, a mapping or a Price, also over the table's own."""
    price = price_of("gpt-4o", {"gpt-4o": entry})
    assert price is not None
    assert (price.input, price.output) == (1, 2)
    assert cost_of(price, 1_000_000, 1_000_000) == 3.0


@pytest.mark.parametrize(
    "entry",
    [(1,), "free", (-1, 2), {"in": 1}, (float("inf"), 1), None, ("free", 1), (None, 1), ("nan", 1)],
)
def test_a_price_that_is_none_is_refused(entry: object) -> None:
    """The sentence names the model and what a price looks like."""
    with pytest.raises(SetupError, match=r"the price of 'm' is .*; give \(input, output\)"):
        price_of("m", {"m": entry})


def test_cost_counts_cached_tokens_at_their_own_price() -> None:
    """USD per million; unknown price or tokens give None, never 0."""
    assert cost_of(Price(10.0, 20.0, 1.0), 1000, 100, 400) == pytest.approx(
        (600 * 10 + 400 * 1 + 100 * 20) / 1e6
    )
    assert cost_of(Price(10.0, 20.0), 1000, 100, 400) == pytest.approx((1000 * 10 + 100 * 20) / 1e6)
    assert cost_of(None, 1, 1) is None
    assert cost_of(Price(1.0, 1.0), None, 1) is None
    assert cost_of(Price(0.0, 0.0), 1, 1) == 0.0


def test_a_money_budget_needs_known_prices() -> None:
    """It is refused with the models' names before anything is spent."""
    with pytest.raises(SetupError, match="needs the price of 'llama', 'qwen', which is unknown"):
        check_money(["llama", "gpt-4o", "qwen"], None)
    check_money(["llama"], {"llama": (0, 0)})


@pytest.mark.parametrize(
    ("failure", "status", "code", "cost"),
    [
        ("rate_limit", 429, "429", 0.0),
        ("auth", 401, "401 invalid_api_key", 0.0),
        ("context_length", 400, "400 context_length_exceeded", 0.0),
        ("server_error", 500, "500", 0.0),
        ("timeout_connect", None, "ConnectionTimeoutError", 0.0),
        ("connection", None, "ConnectionRefusedError", 0.0),
        ("connection", None, "gaierror", 0.0),
        ("connection", None, "ConnectionResetError", None),
        ("connection", 200, "200 cut", None),
        ("server_error", 200, "200 unreadable", None),
        ("server_error", 504, "504", None),
        ("timeout_read", 408, "408", None),
        ("timeout_read", None, None, None),
        ("cancelled", None, None, None),
        ("internal", None, None, None),
        ("not_found_model", 200, "200 web page", 0.0),
        ("content_filter_output", None, None, None),
    ],
)
def test_a_failure_costs_nothing_only_where_that_is_certain(
    failure: str, status: int | None, code: str | None, cost: float | None
) -> None:
    """Refused before anything was generated: 0.

    Sent, and then broken off or unreadable: unknown, never 0.
    """
    assert cost_of_failure(failure, status, code) == cost


def test_every_class_of_failure_has_a_cost_or_is_unknown() -> None:
    """What was stopped by us in mid-air, and what the model itself did, was perhaps billed: of
    those no class is free without its status.
    """
    free = {failure for failure in FAILURES if cost_of_failure(failure, None, None) == 0.0}
    assert not free & {
        "timeout_read",
        "connection",
        "cancelled",
        "budget_stop",
        "circuit_open",
        "internal",
        "refusal",
        "truncated_length",
    }
    assert {FAILURES[failure] for failure in free} == {"transient", "setup", "outcome"}
