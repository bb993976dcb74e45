"""What K repeats per example tell: reliability (pass@k, pass^k), and how much of the spread is the
model's own noise.

Repeats are never examples: they are averaged inside each example first, and intervals are over
examples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import StatisticsError
from .arms import Outcomes
from .finite import counts, finite

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "Mean",
    "VarianceComponents",
    "at_k",
    "mean_pass_at_k",
    "mean_pass_hat_k",
    "pass_at_k",
    "pass_hat_k",
    "split",
]


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over n examples with its 95 % t interval, cut to [0, 1] (None if n < 2 or all are
    equal); skipped: examples with fewer than k repeats.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    skipped: int


@dataclass(frozen=True, slots=True)
class VarianceComponents:
    """Var(mean d) = (omega2 + (within_a + within_b) / K) / n: omega2 between examples (at least 0),
    within_* between repeats.

    d: one difference an example, repeats averaged first; mean, variance: of d (ddof 1; None if n
        < 2).
    """

    d: tuple[float, ...]
    mean: float
    variance: float | None
    within_a: float
    within_b: float
    omega2: float | None


def pass_at_k(n: int, c: int, k: int) -> float:
    """P(at least one of k answers passes), c of n passing: 1 - C(n-c, k) / C(n, k), unbiased (Chen
    et al. 2021). NaN if n < k.
    """
    c, n = counts(c, n)
    _chosen(k)
    return math.nan if n < k else float(1 - _ratio(math.comb(n - c, k), math.comb(n, k)))


def pass_hat_k(n: int, c: int, k: int) -> float:
    """P(all k answers pass), c of n passing: C(c, k) / C(n, k) (tau-bench). NaN if n < k."""
    c, n = counts(c, n)
    _chosen(k)
    return math.nan if n < k else _ratio(math.comb(c, k), math.comb(n, k))


def mean_pass_at_k(passed: Sequence[int], asked: Sequence[int], k: int) -> Mean:
    """pass@k averaged over examples; passed, asked: counts of repeats, one pair per example."""
    return _mean([pass_at_k(n, c, k) for c, n in zip(passed, asked, strict=True)])


def mean_pass_hat_k(passed: Sequence[int], asked: Sequence[int], k: int) -> Mean:
    """pass^k averaged over examples."""
    return _mean([pass_hat_k(n, c, k) for c, n in zip(passed, asked, strict=True)])


def at_k(outcomes: Outcomes, k: int, *, every: bool = False) -> Outcomes:
    """The outcomes of a scorer as pass@k an example (`every`: pass^k), to be compared like any
    other: best-of-k is another question than the mean.

    An example with fewer than k scored repeats is unscored. Raises StatisticsError for outcomes
    that are not 0 or 1, and where no example has k.
    """
    import numpy as np

    _chosen(k)
    if not outcomes.binary and (outcomes.scored > 0).any():
        raise StatisticsError("pass@k needs outcomes that are 0 or 1; give the scorer a threshold.")
    most = int(outcomes.scored.max()) if len(outcomes.scored) else 0
    if most < k:
        raise StatisticsError(
            f"pass@{k} needs {k} scored answers of an example, and no example has more than {most};"
            f" evaluate with repeats={k}."
        )
    measure = pass_hat_k if every else pass_at_k
    values = [
        measure(int(n), round(mean * n), k) if n >= k else math.nan
        for mean, n in zip(outcomes.mean.tolist(), outcomes.scored.tolist(), strict=True)
    ]
    mean, known = (
        np.array(values, dtype=float),
        np.array([value == value for value in values], dtype=float),
    )
    binary = all(value in (0.0, 1.0) for value in values if value == value)
    one = np.minimum(outcomes.attempted, 1.0)
    blank = np.full(len(values), math.nan)
    return Outcomes(
        outcomes.examples,
        mean,
        known,
        one,
        blank,
        binary and bool(known.any()),
        outcomes.kind,
        outcomes.versions,
        outcomes.calibrated,
    )


def split(a: Sequence[Sequence[float]], b: Sequence[Sequence[float]]) -> VarianceComponents:
    """The variance of b - a, repeats of one example in a row, the same examples in both, as many
    repeats in every row.

    Raises StatisticsError for rows of different lengths or NaN.
    """
    if len(a) != len(b) or not len(a):
        raise StatisticsError(
            f"the arms hold {len(a)} and {len(b)} examples; expected the same examples, at least"
            " one."
        )
    if len({len(row) for row in (*a, *b)}) != 1:
        raise StatisticsError(
            "examples have different numbers of repeats; leave out the incomplete ones, or pass"
            " equal rows."
        )
    left, right = [finite(row, "a") for row in a], [finite(row, "b") for row in b]
    repeats = len(left[0])
    if not repeats:
        raise StatisticsError("the examples have no repeats; expected at least one per example.")
    d = [float(y.mean() - x.mean()) for x, y in zip(left, right, strict=True)]
    mean = math.fsum(d) / len(d)
    variance = math.fsum((x - mean) ** 2 for x in d) / (len(d) - 1) if len(d) > 1 else None
    within_a, within_b = _within(left), _within(right)
    known = variance is not None and repeats > 1
    omega2 = max((variance or 0.0) - (within_a + within_b) / repeats, 0.0) if known else None
    return VarianceComponents(tuple(d), mean, variance, within_a, within_b, omega2)


def _within(rows: Sequence[NDArray[np.float64]]) -> float:
    """Mean variance between the repeats of one example (ddof 1); 0 if there is one repeat, which
    has none.
    """
    return (
        math.fsum(float(row.var(ddof=1)) for row in rows) / len(rows) if len(rows[0]) > 1 else 0.0
    )


def _mean(values: Sequence[float]) -> Mean:
    from .intervals import t_interval

    known = [value for value in values if value == value]
    if not known:
        return Mean(math.nan, None, None, 0, len(values))
    mean = min(max(math.fsum(known) / len(known), 0.0), 1.0)
    found = t_interval(known)
    low, high = (None, None) if found is None else (max(found[0], 0.0), min(found[1], 1.0))
    return Mean(mean, low, high, len(known), len(values) - len(known))


def _chosen(k: int) -> None:
    if not isinstance(k, int) or isinstance(k, bool) or k < 1:
        raise StatisticsError(f"k is {k!r}; expected a whole number, at least 1.")


def _ratio(part: int, whole: int) -> float:
    """Python divides whole numbers of any size correctly rounded."""
    return part / whole
