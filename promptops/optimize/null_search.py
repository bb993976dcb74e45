"""Simulated searches in which nothing is better than the seed: how often would the test promote one
of them all the same?

Each search races 16 candidates beside the seed on val by the rungs of the product, all of them
right with the same probability; the winner meets the seed on fresh test rows, by the exact test of
the product. val says "better" nearly always; the test split must not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..analysis.intervals import clopper_pearson
from .halving import rungs

__all__ = ["Null", "null"]

CANDIDATES, VAL, TEST, ALPHA, SEED = 16, 64, 200, 0.05, 20261129


@dataclass(frozen=True)
class Null:
    """What null searches came to. better: share that val called better, by `points` on average;
    promoted: of `searches`; lower: the 99 % lower bound of that share.
    """

    searches: int
    better: float
    points: float
    promoted: int
    lower: float

    @property
    def share(self) -> float:
        """Of the searches that ended in a promotion."""
        return self.promoted / self.searches


def null(searches: int, right: float = 0.6, test: int = TEST, *, fresh: bool = True) -> Null:
    """So many searches, all versions right with the probability `right`.

    Args:
        searches: how many.
        right: of every version.
        test: rows of the test split.
        fresh: False: the winner is judged on the val rows that chose it, which shows what the test
            split is for.
    """
    rng = np.random.default_rng(SEED)
    better, points, promoted = 0, 0.0, 0
    for _ in range(searches):
        answers = rng.random((CANDIDATES + 1, VAL)) < right
        right_by = answers.cumsum(axis=1)  # [version, row]: of the rows up to this one
        left = np.arange(1, CANDIDATES + 1)
        seen = 0
        for seen in rungs(VAL, CANDIDATES):
            ranked = left[np.argsort(-right_by[left, seen - 1], kind="stable")]
            left = ranked[: max(1, (len(left) + 1) // 2)]
        gain = float(right_by[left[0], seen - 1] - right_by[0, seen - 1]) / seen
        points += gain
        if gain > 0:  # else the seed stays, and nothing is confirmed
            better += 1
            rows = rng.random((2, test)) < right if fresh else answers[[0, left[0]], :seen]
            promoted += _shown(rows)
    low = clopper_pearson(promoted, searches, level=0.98)[0]
    return Null(searches, better / searches, 100 * points / searches, promoted, low)


def _shown(answers: Any) -> bool:
    """Whether the second beats the first by the exact one-sided test on the rows that differ."""
    from ..analysis.paired_tests import sign_flip

    return sign_flip(answers[1].astype(float) - answers[0]).p_greater <= ALPHA
