"""The figures of every measure of two arms, by weight if the comparison is.

A measure is paired at once, so that what cannot be paired is reported at once, and its figures are
worked out when they are first asked for: where many versions are judged together, most measures of
the others are never read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .arms import MEASURES, Outcomes, Pairs, pair
from .comparison_context import ComparisonContext
from .facts import Difference, Ties, figures_of
from .weighted import weigh

__all__ = ["Measured"]


@dataclass(slots=True)
class Measured:
    """pairs: by the measure's name, in the order in which the measures were added."""

    grounds: ComparisonContext
    alpha: float
    ties: Ties
    pairs: dict[str, Pairs] = field(default_factory=dict)
    _scorers: dict[str, Outcomes] = field(default_factory=dict)
    _figures: dict[str, Difference] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        outcomes: Iterable[tuple[str, Outcomes, Outcomes]],
        grounds: ComparisonContext,
        alpha: float,
        ties: Ties,
    ) -> Measured:
        """outcomes: (measure, candidate's, baseline's). Raises StatisticsError as `pair` does."""
        out = cls(grounds, alpha, ties)
        for name, ours, theirs in outcomes:
            pairs = pair(ours, theirs, lower_is_better=name in MEASURES)
            if grounds.weighing and grounds.weights is not None:
                pairs = weigh(pairs, grounds.weights)
            out.add(name, pairs, ours)
        return out

    def add(
        self, name: str, pairs: Pairs, scorer: Outcomes, figures: Difference | None = None
    ) -> None:
        """One measure more. scorer: outcomes that say of which kind they are; figures: where they
        are known already.
        """
        self.pairs[name], self._scorers[name] = pairs, scorer
        if figures is not None:
            self._figures[name] = figures

    def figures(self, name: str) -> Difference:
        """Raises KeyError for a measure that was not added."""
        if name not in self._figures:
            self._figures[name] = figures_of(
                name,
                self.pairs[name],
                self._scorers[name],
                clusters=self.grounds.clusters,
                alpha=self.alpha,
                ties=self.ties,
                rules=self.grounds.rules,
            )
        return self._figures[name]
