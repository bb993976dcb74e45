"""Intervals of gains that may vary more than was seen: where every unit shows the same, where few
clusters show a loss, and where the few examples of a rare label decide.
"""

from __future__ import annotations

import math
from collections import defaultdict

from . import intervals
from .arms import Pairs
from .clustered import clustered_mean

__all__ = ["by_label", "clustered_bound", "constant"]

Bounds = tuple[float | None, float | None, float | None, str]


def constant(pairs: Pairs, units: int, level: float) -> tuple[float, float, float, str]:
    """Every unit shows the same gain, which no t or bootstrap can see past: on the 0-1 scale as
    wide as Tango's with no disagreement, z^2 / (n + z^2), so that a handful of equal examples
    proves nothing; a measure is as constant as it looks.
    """
    gain = float(pairs.d.mean())
    square = intervals.quantile(level) ** 2
    half = 0.0 if pairs.measure else square / (units + square)
    return gain - half, gain + half, gain - half, "constant"


def clustered_bound(pairs: Pairs, low: float, se: float, level: float) -> float:
    """The lower bound of a gain in 0/1 outcomes over clusters, also of repeats, from `low`, the end
    of its t interval: no higher than Tango's at n / design effect (Kish), which is at least 1.
    Where few examples were lost, t takes the spread of the losses that happened to be seen.
    """
    d, n, effect = pairs.d, pairs.n, _design_effect(pairs, se)
    won, lost = float(d[d > 0].sum()) / effect, -float(d[d < 0].sum()) / effect
    return min(low, intervals.tango_at(won, lost, n / effect, level=level)[0])


def _design_effect(pairs: Pairs, se: float) -> float:
    """How many examples in clusters show what one alone does, at least 1. se: over the clusters."""
    alone = float(pairs.d.var(ddof=1)) / pairs.n
    return max(se * se / alone, 1.0) if alone > 0 else 1.0


def by_label(
    pairs: Pairs, labels: list[str] | None, grouped: Bounds | None, level: float
) -> Bounds:
    """The interval of a mean over labels, from Tango's for each of them: the distances of their
    ends add up as standard errors do (MOVER, Zou and Donner 2008). A label on whose few examples
    nothing changed is as uncertain as its number says.

    labels: the cluster of each example, or None; each label's Tango is then at n / design effect.
    grouped: the interval over clusters, or None; the wider end of both is taken.
    """
    assert pairs.strata is not None  # the caller has looked
    of_label: defaultdict[str, list[float]] = defaultdict(list)
    for example, gain in zip(pairs.examples, pairs.d.tolist(), strict=True):
        of_label[pairs.strata[example]].append(gain)
    se = None if labels is None else clustered_mean(pairs.d, labels, form="cr2").se
    effect = 1.0 if se is None else _design_effect(pairs, se)
    mean, below, above = 0.0, 0.0, 0.0
    for gains in of_label.values():
        n, scale = len(gains), len(of_label) * len(gains) / pairs.n  # 1 / the label's factor
        won = min(scale * sum(gain for gain in gains if gain > 0), n)
        lost = min(-scale * sum(gain for gain in gains if gain < 0), n - won)
        low, high = intervals.tango_at(won / effect, lost / effect, n / effect, level=level)
        at = (won - lost) / n
        mean += at / len(of_label)
        below += ((at - low) / len(of_label)) ** 2
        above += ((high - at) / len(of_label)) ** 2
    low, high, method = mean - math.sqrt(below), mean + math.sqrt(above), "Tango score by label"
    if grouped is None:
        return low, high, low, method
    if grouped[0] is None or grouped[1] is None:
        return grouped
    low, high = min(low, grouped[0]), max(high, grouped[1])
    return low, high, low, f"{grouped[3]}; {method}"
