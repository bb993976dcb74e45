"""O5: where nothing is better, nothing is promoted beyond the false alarms that were agreed."""

from __future__ import annotations

import pytest

from promptops.optimize.null_search import null


@pytest.mark.parametrize("searches", [2_000, pytest.param(20_000, marks=pytest.mark.soak)])
def test_null_searches_are_not_promoted(searches: int) -> None:
    """val calls the winner better nearly always, and by much; the test split does not."""
    found = null(searches)
    assert found.better > 0.8
    assert found.points > 5
    assert found.lower <= 0.05
    assert found.promoted > 0


def test_without_a_test_split_it_would_fail() -> None:
    """A winner judged on the rows that chose it is promoted many times too often."""
    assert null(2_000, fresh=False).lower > 0.05


def test_a_looser_level_would_be_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is one that a gate at twice its level breaks."""
    from promptops.optimize import null_search

    monkeypatch.setattr(null_search, "ALPHA", 0.15)
    assert null(2_000).lower > 0.05
