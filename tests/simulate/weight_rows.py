"""Rows of the size table on examples weighed by how often they are asked."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import stats
from size_row import ALPHA, Row

from promptops.analysis import paired_tests
from promptops.analysis.arms import Pairs
from promptops.analysis.weighted import weigh, weighted_interval

__all__ = ["alike_by_weight", "heavy_against_light", "margin_by_weight"]

MARGIN = 0.05


def weighed(d: Any, counts: Any) -> Pairs:
    """Differences of 0/1 outcomes with the weights beside them."""
    names, none = tuple(f"e{i}" for i in range(len(d))), np.zeros(len(d))
    nan = (math.nan, math.nan)
    pairs = Pairs(names, none, none, d, 1, True, (), 0, 0, 1.0, nan, (0, 0, 0, 0))
    return weigh(pairs, dict(zip(names, counts.tolist(), strict=True)))


def shown(pairs: Pairs) -> bool:
    """Both rules of goal "better": the interval above 0, and the exact test of the signs."""
    bound = weighted_interval(pairs, None, 1 - 2 * ALPHA)[2]
    if bound is None or bound <= 0:
        return False
    return paired_tests.sign_flip(pairs.d, grid=None).p_greater <= ALPHA


def alike_by_weight(rng: np.random.Generator, studies: int, n: int = 60) -> Row:
    """Two arms alike on 60 questions, the k-th of which is asked 600 / k times.

    Broken: each use counts as an example.
    """
    counts, hits, broken = np.round(600 / np.arange(1, n + 1)), 0, 0
    for _ in range(studies):
        u = rng.random(n)
        d = np.where(u < 0.1, 1.0, np.where(u < 0.2, -1.0, 0.0))
        hits += shown(weighed(d, counts))
        won, lost = counts[d > 0].sum(), counts[d < 0].sum()
        broken += stats.binom.sf(won - 1, won + lost, 0.5) <= ALPHA
    return Row("weighed by use, alike", ALPHA, studies, hits / studies, broken / studies)


def margin_by_weight(rng: np.random.Generator, studies: int, n: int = 100) -> Row:
    """A loss of exactly the margin on examples with log-normal weights, `not_worse` by weight.

    Broken: Wald's bound, each use an example.
    """
    counts = np.round(np.exp(rng.normal(3, 1, n)))
    total, hits, broken = float(counts.sum()), 0, 0
    for _ in range(studies):
        u = rng.random(n)
        d = np.where(u < 0.05, 1.0, np.where(u < 0.15, -1.0, 0.0))
        bound = weighted_interval(weighed(d, counts), None, 1 - 2 * ALPHA)[2]
        hits += bound is not None and bound > -MARGIN
        mean = float((d * counts).sum()) / total
        spread = math.sqrt(float((counts * (d - mean) ** 2).sum()) / total / total)
        broken += mean - 1.645 * spread > -MARGIN
    return Row("not worse by weight", ALPHA, studies, hits / studies, broken / studies)


def heavy_against_light(rng: np.random.Generator, studies: int, n: int = 60) -> Row:
    """The heaviest examples lose as much as the others win, so that nothing is gained by weight.

    Broken: the exact test of the signs alone, which takes a heavy example that came out even for
    one that always does.
    """
    counts = 600 / np.arange(1.0, n + 1)
    top = int((counts.cumsum() < counts.sum() / 2).sum())
    heavy = float(counts[:top].sum() / counts.sum())
    wins = 0.3
    losses = wins * (1 - heavy) / heavy
    hits = broken = 0
    for _ in range(studies):
        u = rng.random(n)
        d = np.where(np.arange(n) < top, -1.0 * (u < losses), 1.0 * (u < wins))
        pairs = weighed(d, counts)
        broken += paired_tests.sign_flip(pairs.d, grid=None).p_greater <= ALPHA
        hits += shown(pairs)
    return Row("heavy lose, light win", ALPHA, studies, hits / studies, broken / studies)
