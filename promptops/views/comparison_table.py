"""The one table of a comparison: a row per metric, the baseline left and the candidate right, then
the difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..analysis import words
from ..analysis.arms import MEASURES
from ..markup import esc
from .answer_card import cost_per_thousand
from .grid import GridColumn, breaking, grid
from .theme import BAD, GOOD, chip, label_colour

if TYPE_CHECKING:
    from ..analysis.facts import Difference
    from ..lab.comparison import Comparison

__all__ = ["MEASURE_HEADS", "comparison_table"]

MEASURE_HEADS = {
    "cost": "cost per 1,000 answers",
    "latency": "latency, mean",
    "tokens": "tokens per answer, mean",
}
_NOTHING, _REST = "", 5  # cells of a row that has no difference


def comparison_table(comparison: Comparison) -> str:
    """A row per metric, then what is only known of each arm: its slowest answers, failed calls,
    runs.
    """
    arms = (comparison.baseline, comparison.candidate)
    heads = [
        GridColumn(arm.label, number=True, shown=chip(arm.label, label_colour(arm.label, place)))
        for place, arm in enumerate(arms)
    ]
    names = ("difference (90 % interval)", "improved : regressed", "p (one-sided)")
    more = ("detectable (80 % power)", "n")
    columns: list[GridColumn | str] = [
        "metric",
        *heads,
        *(GridColumn(name, number=True) for name in (*names, *more)),
    ]
    rows = [_line(comparison, figures) for figures in comparison.differences]
    return grid(
        columns, [*rows, *_of_the_arms(comparison)], caption=comparison.statement(), wide=True
    )


def _line(comparison: Comparison, figures: Difference) -> tuple[str, ...]:
    name = MEASURE_HEADS.get(figures.name) or breaking(figures.name)
    return (
        f"<b>{name}</b>" if figures.name == comparison.primary_name else name,
        _mean(figures, figures.baseline, figures.baseline_interval),
        _mean(figures, figures.candidate, figures.candidate_interval),
        _gain(figures),
        f"{figures.wins:,} : {figures.losses:,}{_split(figures)}",
        _p(figures),
        _mde(figures),
        f"{figures.n:,}"
        + (f"<span class='ci'>{figures.unscored:,} unscored</span>" if figures.unscored else ""),
    )


def _p(figures: Difference) -> str:
    if not figures.wins + figures.losses:
        return "–"
    return esc(words.p_number(min(figures.p_better, figures.p_worse)))


def _split(figures: Difference) -> str:
    """Improved and regressed as a small bar, to scale of all examples."""
    if not figures.n or not figures.wins + figures.losses:
        return ""
    parts = "".join(
        f"<i style='width:{64 * count / figures.n:.1f}px;background:{tint}'></i>"
        for count, tint in ((figures.wins, GOOD), (figures.losses, BAD))
    )
    return f"<span class='po-split' aria-hidden='true'>{parts}</span>"


def _of_the_arms(comparison: Comparison) -> list[tuple[str, ...]]:
    """Rows that have a figure per arm and no difference; [] if nothing is known of the calls."""
    arms = [comparison.baseline.facts, comparison.candidate.facts]
    if not all(arm.get("calls") for arm in arms):
        return []
    lines = (("latency, p50 / p95", _latency), ("failed calls", _failed), ("runs", _runs))
    return [(name, *(shown(arm) for arm in arms), *([_NOTHING] * _REST)) for name, shown in lines]


def _latency(facts: Mapping[str, Any]) -> str:
    if facts.get("latency_p50") is None:
        return "unknown"
    ends = (words.duration(facts[name] / 1000) for name in ("latency_p50", "latency_p95"))
    return " / ".join(esc(end) for end in ends)


def _failed(facts: Mapping[str, Any]) -> str:
    failures = facts.get("failures") or {}
    return f"{sum(failures.values()):,}" + "".join(
        f"<span class='ci'>{count:,} {esc(name)}</span>" for name, count in failures.items()
    )


def _runs(facts: Mapping[str, object]) -> str:
    return f"{facts['calls']:,}"


def _mean(figures: Difference, value: float, interval: tuple[float, float] | None) -> str:
    if figures.name == "cost":
        return esc(cost_per_thousand(value))
    if figures.name in MEASURES:
        return esc(f"{words.number(value)} {figures.unit}")
    span = f"<span class='ci'>{esc(words.interval(*interval))}</span>" if interval else ""
    return f"{esc(words.percent(value))}{span}"


def _gain(figures: Difference) -> str:
    if not figures.n:  # no example is scored for both
        return "–"
    if figures.name in MEASURES:
        if not figures.baseline:
            return "–"
        scale = -100 / figures.baseline
        ends = sorted(v * scale + 0.0 for v in (figures.low, figures.high) if v is not None)
        span = (
            f"<span class='ci'>{esc(words.interval(ends[0], ends[1], scale=1))}</span>"
            if len(ends) == 2
            else ""
        )
        return f"{esc(words.signed(figures.gain * scale))} %{span}"
    span = (
        f"<span class='ci'>{esc(words.interval(figures.low, figures.high))}</span>"
        if figures.low is not None
        else ""
    )
    return f"{esc(words.points(figures.gain).removesuffix(' points'))}{span}"


def _mde(figures: Difference) -> str:
    if figures.mde is None:
        return "–"
    if figures.name in MEASURES:
        return f"{100 * figures.mde / figures.baseline:.1f} %" if figures.baseline else "–"
    return esc(words.points(figures.mde).removesuffix(" points"))
