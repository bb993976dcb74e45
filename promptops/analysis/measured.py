"""The figures of one measure, by weight if the comparison is."""

from __future__ import annotations

from .arms import MEASURES, Outcomes, Pairs, pair
from .comparison_context import ComparisonContext
from .facts import Difference, Ties, figures_of
from .weighted import weigh

__all__ = ["measured"]


def measured(
    name: str,
    ours: Outcomes,
    theirs: Outcomes,
    grounds: ComparisonContext,
    alpha: float,
    ties: Ties,
) -> tuple[Difference, Pairs]:
    """The figures of one measure of both arms, and the pairs that they rest on."""
    pairs = pair(ours, theirs, lower_is_better=name in MEASURES)
    if grounds.weighing and grounds.weights is not None:
        pairs = weigh(pairs, grounds.weights)
    figures = figures_of(
        name,
        pairs,
        ours,
        clusters=grounds.clusters,
        alpha=alpha,
        ties=ties,
        rules=grounds.rules,
    )
    return figures, pairs
