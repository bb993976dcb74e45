"""Answers that were recorded long apart are reported to be, and what asking the older ones again
would cost.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from promptops.analysis.caveats import _days


def arm(label: str, first: str, last: str, cost: float = 0.05, unknown: int = 0) -> Any:
    return SimpleNamespace(
        label=label, facts={"first": first, "last": last, "cost_usd": cost, "cost_unknown": unknown}
    )


OLD, NEW = (
    ("2026-01-01T00:00:00", "2026-01-01T01:00:00"),
    ("2026-03-01T00:00:00", "2026-03-01T01:00:00"),
)


def test_the_older_arm_is_the_one_to_ask_again() -> None:
    """Whichever of the two it is."""
    for pair in (
        [arm("v1", *OLD, cost=0.05), arm("v2", *NEW, cost=9)],
        [arm("v2", *NEW, cost=9), arm("v1", *OLD, cost=0.05)],
    ):
        [said] = _days(*pair)
        assert "Recorded 59 days apart" in said
        assert "asking v1 again would cost about $0.05" in said
    [said] = _days(arm("v1", *NEW), arm("v2", *OLD, unknown=3))
    assert "asking v2 again would cost about an unknown sum" in said


def test_an_arm_that_is_partly_new_is_called_that() -> None:
    """Only a part of v2 is of v1's day."""
    [said] = _days(arm("v1", *NEW), arm("v2", OLD[0], NEW[1]))
    assert said.startswith("v2 is partly refreshed")


def test_arms_of_the_same_days_compare_like_with_like() -> None:
    """On one day, or both over the same weeks; and nothing is reported where nothing is known."""
    assert not list(_days(arm("v1", *NEW), arm("v2", *NEW)))
    assert not list(_days(arm("v1", OLD[0], NEW[1]), arm("v2", OLD[0], NEW[1])))
    assert not list(_days(arm("v1", *NEW), SimpleNamespace(label="v2", facts={})))  # type: ignore[arg-type]
