"""A weighed comparison in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import words
from .weighted import effective_n

if TYPE_CHECKING:
    from .compare import ComparisonFacts

__all__ = ["weighed_statement"]


def weighed_statement(weighed: ComparisonFacts, name: str | None = None) -> str:
    """One sentence: the weighted means, their difference and what the weights leave of n."""
    figures = weighed[name or weighed.primary_name]
    weights = weighed.pairs(figures.name).weights
    column = weighed.grounds.weighed_by
    if weights is None:
        return (
            f"Weighed by {column} nothing changes: all {figures.n:,} examples have equal weights."
        )
    span = f"90 % interval {words.interval(figures.low, figures.high)}"
    if figures.low is None:
        span = figures.interval_method
    unit = words.percent if not figures.lower_is_better else words.number
    gain = words.points(figures.gain) if not figures.lower_is_better else words.number(figures.gain)
    return (
        f"Weighed by {column}, {weighed.candidate.label} scores {unit(figures.candidate)} against"
        f" {unit(figures.baseline)} for {weighed.baseline.label}: {gain}, {span};"
        f" {words.p_value(figures.p_better)}. The weights leave {effective_n(weights):,.1f}"
        f" effective examples of {figures.n:,}."
    )
