"""Examples weighed by how often each is asked: what holds per use instead of per distinct example.

The weights are fixed numbers beside the examples, such as a column of counts. A weight is not
evidence: an example that is asked a thousand times was answered once here, so n stays the number of
distinct examples and the effective number (Kish: the squared sum of the weights by the sum of their
squares) says how many equally frequent ones tell as much.

The test is the exact sign-flip test of the weighted differences. The interval is the one of a mean
with fixed weights: the sandwich variance, unbiased if examples differ alike (CR2), with
Satterthwaite's degrees of freedom; for 0/1 scores its ends are at least as far out as Tango's at
the effective counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from . import intervals
from .clustered import DOMINATES, LEAST_CLUSTERS, WITHIN

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .arms import Pairs

    Floats = NDArray[np.float64]

__all__ = ["effective_n", "weigh", "weighted_interval", "weighted_mean_interval"]

Bounds = tuple[float | None, float | None, float | None, str]


def weigh(pairs: Pairs, weights: Mapping[str, float]) -> Pairs:
    """The pairs with each outcome multiplied by its weight, the mean weight being 1.

    Args:
        pairs: of one measure, not weighed yet.
        weights: example id -> how often it is asked; 0 for one that is not in it.

    Returns:
        The same pairs if all weights are equal, or all are 0.
    """
    import numpy as np

    raw = np.array([float(weights.get(example, 0.0)) for example in pairs.examples])
    if not len(raw) or not raw.max() or raw.min() == raw.max():
        return pairs
    factors = raw / raw.mean()
    return pairs.scaled(factors, weighing=True, counted=pairs.binary and pairs.repeats == 1)


def effective_n(weights: Floats) -> float:
    """How many equally frequent examples tell as much as these (Kish 1965)."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def weighted_interval(pairs: Pairs, labels: Sequence[str] | None, level: float) -> Bounds:
    """Interval of the weighted mean gain, its lower bound for guardrails, and the method's name.

    Args:
        pairs: of `weigh`, at least one.
        labels: the cluster of each example; None if they are independent.
        level: of the interval, two-sided.
    """
    weights = pairs.weights
    assert weights is not None  # the caller has looked
    if labels is None and pairs.counted:
        n = effective_n(weights)
        shares = [float(pairs.d[sign * pairs.d > 1e-12].sum()) / pairs.n for sign in (1, -1)]
        score = intervals.tango_at(n * shares[0], -n * shares[1], n, level=level)
    else:
        score = None
    found = weighted_mean_interval(pairs.d, weights, labels, level=level)
    if isinstance(found, str):
        return None, None, None, found
    if found is None:
        if score is None:
            score = _constant(pairs, weights, level)
        return *score, score[0], "weighted, constant"
    low, high = found
    if score is not None:
        low, high = min(low, score[0]), max(high, score[1])
        return low, high, low, "weighted t and Tango score"
    return low, high, low, "weighted t"


def _constant(pairs: Pairs, weights: Floats, level: float) -> tuple[float, float]:
    """As wide as Tango's with no disagreement among the effective number of examples."""
    gain, square = float(pairs.d.mean()), intervals.quantile(level) ** 2
    half = 0.0 if pairs.measure else square / (effective_n(weights) + square)
    return gain - half, gain + half


def weighted_mean_interval(
    products: Floats, weights: Floats, labels: Sequence[str] | None = None, *, level: float
) -> tuple[float, float] | str | None:
    """Student's interval of a mean with fixed weights.

    Args:
        products: each value times its weight.
        weights: with the mean 1.
        labels: the cluster of each value; None if they are independent.
        level: of the interval, two-sided.

    Returns:
        Its ends; None if every cluster shows the same, or there is one; a sentence if one of
        them has so much weight that the others cannot tell how they differ.
    """
    import numpy as np
    from scipy.special import stdtrit

    place: dict[object, int] = {}
    keys: Sequence[object] = labels if labels is not None else range(len(weights))
    index = np.array([place.setdefault(key, len(place)) for key in keys], dtype=int)
    shares, mean = weights / weights.sum(), float(products.mean())
    held = np.bincount(index, weights=shares).astype(np.float64, copy=False)
    sums = np.bincount(index, weights=products / len(weights) - shares * mean)
    squares = np.bincount(index, weights=shares**2)
    spread = squares + WITHIN * (held**2 - squares)  # of a sum, by the working correlation
    total = float(spread.sum())
    if len(held) < 2 or float(abs(sums).max()) <= 1e-12 * max(1.0, abs(mean)):
        return None
    if 1 / float((held**2).sum()) < LEAST_CLUSTERS and float(held.max()) >= DOMINATES:
        most = f"{100 * float(held.max()):.0f} %"
        return f"not estimable: one example or cluster has {most} of the weight"
    seen = spread - 2 * held * spread + held**2 * total  # the expected square of such a sum
    with np.errstate(invalid="ignore", divide="ignore"):
        factors = np.where(spread > 0, spread / seen, 0.0)
    se = math.sqrt(float((factors * sums**2).sum()))
    half = float(stdtrit(_freedom(held, spread, factors), 0.5 + level / 2)) * se
    return mean - half, mean + half


def _freedom(held: Floats, spread: Floats, factors: Floats) -> float:
    """Satterthwaite's degrees of freedom, tr(M)^2 / tr(M^2), between 1 and one below the number of
    clusters. The sums have the covariance diag(v) - v a' - a v' + V a a', a being the shares of
    the weight and V the sum of v; neither matrix is built.
    """
    import numpy as np

    total = float(spread.sum())
    rest = total * held * held - 2 * held * spread
    trace = float((factors * (spread + rest)).sum())
    columns = (held, -spread)
    q = np.array([[(factors * x * y).sum() for y in columns] for x in columns])
    kq = np.array([[total, 1.0], [1.0, 0.0]]) @ q
    square = float((factors**2 * (spread**2 + 2 * spread * rest)).sum()) + float(np.trace(kq @ kq))
    return min(max(trace * trace / square, 1.0), len(held) - 1.0)
