"""Time, money, tokens and how an answer ended: judged by the recorded call, and unscored if it
is not known.
"""

from __future__ import annotations

from typing import Any

import pytest

from promptops.errors import ScorerError
from promptops.scorers import cost_below, finish_reason, latency_below, tokens_below, try_out

TABLE = [
    (latency_below(1000), {"latency_ms": 999.9}, True, 999.9, "ms"),
    (latency_below(1000), {"latency_ms": 1000.0}, False, 1000.0, "ms"),
    (
        latency_below(300, first_token=True),
        {"latency_ms": 9000.0, "first_token_ms": 250.0},
        True,
        250.0,
        "ms",
    ),
    (cost_below(0.01), {"cost_usd": 0.0}, True, 0.0, "USD"),
    (cost_below(0.01), {"cost_usd": 0.02}, False, 0.02, "USD"),
    (tokens_below(100), {"tokens_out": 99, "tokens_in": 1000}, True, 99.0, "tokens"),
    (tokens_below(100, count="in"), {"tokens_out": 99, "tokens_in": 1000}, False, 1000.0, "tokens"),
    (
        tokens_below(2000, count="total"),
        {"tokens_out": 99, "tokens_in": 1000},
        True,
        1099.0,
        "tokens",
    ),
]


@pytest.mark.parametrize(("scorer", "run", "passes", "measure", "unit"), TABLE)
def test_table(scorer: Any, run: dict[str, Any], passes: bool, measure: float, unit: str) -> None:
    """Strictly less than the limit passes; the figure is the measure."""
    found = try_out(scorer, "text", run=run)
    assert not isinstance(found, list)
    assert (found.passed, found.raw_value, found.unit) == (passes, measure, unit)
    assert bool(found.reason) is not passes


@pytest.mark.parametrize(
    ("scorer", "why"),
    [
        (latency_below(1), "missing latency_ms: it is not known of this run"),
        (cost_below(1), "missing cost_usd: it is not known of this run"),
        (tokens_below(1, count="total"), "missing tokens_total: it is not known of this run"),
        (finish_reason(), "missing finish_reason: the provider gave none"),
    ],
)
def test_unknown_is_unscored(scorer: Any, why: str) -> None:
    """What nobody recorded is unknown, never free."""
    found = try_out(scorer, "text", run={"tokens_out": 5})
    assert not isinstance(found, list)
    assert found.unscored == why


def test_finish_reason() -> None:
    """The reason is one of those allowed, and the label; an answer that was cut off fails, also as
    a failure of the model.
    """
    assert try_out(finish_reason(), "", run={"finish_reason": "stop"}).passed  # type: ignore[union-attr]
    found = try_out(
        finish_reason("stop", "tool_calls"),
        "",
        run={"finish_reason": "length", "failure": "truncated_length"},
    )
    assert not isinstance(found, list)
    assert (found.passed, found.category) == (False, "length")
    assert found.reason == "ended by 'length', expected 'stop' or 'tool_calls'"
    assert finish_reason().judges_failures
    assert (
        try_out(finish_reason(), "", run={"failure": "refusal"}).reason
        == "the model failed: refusal"
    )  # type: ignore[union-attr]


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf"), True, "5"])
def test_wrong_limits(limit: Any) -> None:
    """A limit is a finite number above 0."""
    for build in (latency_below, cost_below, tokens_below):
        with pytest.raises(ScorerError):
            build(limit)
    with pytest.raises(ScorerError):
        tokens_below(5, count="all")
