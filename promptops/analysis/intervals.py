"""Intervals for one mean and for a difference: each the form that keeps its level at the sizes of
prompt evaluation.

Wald (+-1.96 SE of a rate) is not here: it gives 0 to 0 for 0 of 10. `level` is two-sided
everywhere: the lower end at 0.90 is the one-sided 95 % bound. Every function raises StatisticsError
for NaN and for invalid counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from .binary_counts import tango_score, wilson_at
from .finite import counts, finite, share

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Places = NDArray[np.integer]

__all__ = [
    "acceleration",
    "bayes",
    "bca",
    "bonett_price",
    "clopper_pearson",
    "newcombe",
    "no_failures",
    "quantile",
    "t_interval",
    "tango",
    "tango_at",
    "welch",
    "wilson",
]

Interval = tuple[float, float]
RESAMPLES = 9_999
_CHUNK = 2_000_000  # resampled numbers in memory at once
_KEPT_N = 1_000  # units whose draws are kept: 20 MB


def quantile(level: float) -> float:
    """z of a two-sided interval: 1.96 at 0.95."""
    from scipy.special import ndtri

    return float(ndtri(0.5 + share(level) / 2))


# -- one rate


def wilson(successes: int, n: int, *, level: float = 0.95) -> Interval:
    """Wilson's score interval (1927) of a rate; (0, 1) if n = 0."""
    k, n = counts(successes, n)
    if not n:
        return 0.0, 1.0
    return wilson_at(k, n, quantile(level))


def clopper_pearson(successes: int, n: int, *, level: float = 0.95) -> Interval:
    """The exact interval of a rate (1934): never below its level, wider for it."""
    from scipy.special import betaincinv

    k, n = counts(successes, n)
    tail = (1 - share(level)) / 2
    low = float(betaincinv(k, n - k + 1, tail)) if k else 0.0
    return low, float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0


def bayes(successes: int, n: int, *, level: float = 0.95, prior: float = 1.0) -> Interval:
    """Equal-tailed interval of a rate under a Beta(prior, prior) prior: 1 is uniform (Bowyer 2025),
    0.5 Jeffreys.
    """
    from scipy.special import betaincinv

    k, n = counts(successes, n)
    tail = (1 - share(level)) / 2
    return float(betaincinv(k + prior, n - k + prior, tail)), float(
        betaincinv(k + prior, n - k + prior, 1 - tail)
    )


def no_failures(n: int, *, alpha: float = 0.05) -> float:
    """One-sided upper bound of a failure rate after 0 failures in n: 1 - alpha^(1/n), about 3/n
    (the rule of three); 1 if n = 0.
    """
    counts(0, n)
    return -math.expm1(math.log(share(alpha, "alpha")) / n) if n else 1.0


# -- one mean


def t_interval(values: object, *, level: float = 0.95) -> Interval | None:
    """Student's t interval of a mean, n - 1 degrees of freedom; None if n < 2 or every value is
    the same.
    """
    from scipy.special import stdtrit

    array = finite(values, "values")
    n = len(array)
    spread = float(array.std(ddof=1)) if n > 1 else 0.0
    if spread <= 1e-12 * max(1.0, abs(float(array.mean())) if n else 0.0):
        return None
    half = float(stdtrit(n - 1, 0.5 + share(level) / 2)) * spread / math.sqrt(n)
    return float(array.mean()) - half, float(array.mean()) + half


def acceleration(d: object) -> float:
    """Jackknife acceleration of a mean: sum((d - m)^3) / (6 sum((d - m)^2)^1.5) (Efron and
    Tibshirani 1993, 14.15); 0 if constant.
    """
    array = finite(d)
    away = array - (array.mean() if len(array) else 0.0)
    square = float((away**2).sum())
    return float((away**3).sum()) / (6 * square**1.5) if square > 0 else 0.0


def bca(
    d: object, *, level: float = 0.95, seed: int, resamples: int = RESAMPLES
) -> Interval | None:
    """Bias-corrected, accelerated bootstrap interval of a mean; examples are resampled, so d holds
    one number an independent unit.

    The order of d does not matter. None if n < 2 or d is constant, which no bootstrap can see
    past.
    """
    import numpy as np
    from scipy.special import ndtr, ndtri

    array = np.sort(finite(d))
    n = len(array)
    if n < 2 or float(np.ptp(array)) <= 1e-12 * max(1.0, float(np.abs(array).max())):
        return None
    means = _resampled(array, seed, resamples)
    mean = float(array.mean())
    slack = 1e-12 * max(1.0, float(np.abs(array).max()))
    below = (
        np.count_nonzero(means < mean - slack)
        + 0.5 * np.count_nonzero(np.abs(means - mean) <= slack)
    ) / resamples
    if not 0 < below < 1:
        return None
    bias, bend, z = float(ndtri(below)), acceleration(array), quantile(level)
    ends = [float(ndtr(bias + (bias + side) / (1 - bend * (bias + side)))) for side in (-z, z)]
    low, high = np.quantile(means, ends)
    return float(low), float(high)


def _resampled(array: Floats, seed: int, resamples: int) -> Floats:
    """Means of resamples, a chunk at a time, so that memory stays bounded."""
    import numpy as np

    n = len(array)
    means = np.empty(resamples)
    step = max(_CHUNK // n, 1)
    drawn = _drawn(n, seed, resamples) if n <= _KEPT_N else _draws(n, seed, resamples)
    for start, places in zip(range(0, resamples, step), drawn, strict=True):
        means[start : start + step] = np.take(array, places).mean(axis=1)
    return means


@lru_cache(maxsize=1)
def _drawn(n: int, seed: int, resamples: int) -> tuple[Places, ...]:
    """As `_draws`, kept for the next measure of as many units: all measures of a study are
    resampled in the same way, and drawing takes longer than the means do.
    """
    import numpy as np

    return tuple(places.astype(np.int16) for places in _draws(n, seed, resamples))


def _draws(n: int, seed: int, resamples: int) -> Iterator[Places]:
    """Which units each resample holds, a chunk of resamples at a time."""
    import numpy as np

    rng, step = np.random.default_rng(seed), max(_CHUNK // n, 1)
    for start in range(0, resamples, step):
        yield rng.integers(0, n, (min(step, resamples - start), n), dtype=np.int32)


# -- two arms on the same examples, 0/1


def tango(b: int, c: int, n: int, *, level: float = 0.95) -> Interval:
    """Tango's score interval (1998) of (b - c)/n: b examples won, c lost, n in all.

    Keeps its level where Wald, t and BCa do not.
    """
    counts(b + c, n)
    counts(b, b + c)
    return tango_at(b, c, n, level=level) if n else (-1.0, 1.0)


def tango_at(b: float, c: float, n: float, *, level: float) -> Interval:
    """`tango` of counts that need not be whole: shares of the weight times an effective n."""
    from scipy.optimize import brentq

    z, at = quantile(level), (b - c) / n
    low = (
        -1.0
        if at <= -1
        else brentq(lambda delta: tango_score(b, c, n, delta) - z, -1.0, at, xtol=1e-14, rtol=1e-13)
    )
    high = (
        1.0
        if at >= 1
        else brentq(lambda delta: tango_score(b, c, n, delta) + z, at, 1.0, xtol=1e-14, rtol=1e-13)
    )
    return float(low), float(high)


def bonett_price(b: int, c: int, n: int, *, level: float = 0.95) -> Interval:
    """Bonett and Price (2012): Wald after one more example of each kind, cut to [-1, 1]; the closed
    form beside Tango.
    """
    counts(b + c, n)
    won, lost = (b + 1) / (n + 2), (c + 1) / (n + 2)
    half = quantile(level) * math.sqrt((won + lost - (won - lost) ** 2) / (n + 2))
    return max(won - lost - half, -1.0), min(won - lost + half, 1.0)


# -- two arms on different examples: weak, and labelled as such


def newcombe(
    successes_b: int, n_b: int, successes_a: int, n_a: int, *, level: float = 0.95
) -> Interval:
    """Newcombe's hybrid score interval (1998) of p_b - p_a for unpaired rates; pairing by examples
    sees several times less.
    """
    if not n_a or not n_b:
        return -1.0, 1.0
    (low_b, high_b), (low_a, high_a) = (
        wilson(successes_b, n_b, level=level),
        wilson(successes_a, n_a, level=level),
    )
    b, a = successes_b / n_b, successes_a / n_a
    return b - a - math.hypot(b - low_b, high_a - a), b - a + math.hypot(high_b - b, a - low_a)


def welch(b: object, a: object, *, level: float = 0.95) -> Interval | None:
    """Welch's interval of mean(b) - mean(a) for unpaired scores; None if an arm has fewer than
    two values or both are constant.
    """
    from scipy.special import stdtrit

    left, right = finite(b, "b"), finite(a, "a")
    if len(left) < 2 or len(right) < 2:
        return None
    vb, va = float(left.var(ddof=1)) / len(left), float(right.var(ddof=1)) / len(right)
    if not vb + va:
        return None
    df = (vb + va) ** 2 / (vb**2 / (len(left) - 1) + va**2 / (len(right) - 1))
    half = float(stdtrit(df, 0.5 + share(level) / 2)) * math.sqrt(vb + va)
    gain = float(left.mean() - right.mean())
    return gain - half, gain + half
