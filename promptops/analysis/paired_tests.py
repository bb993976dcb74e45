"""Exact tests of a paired difference: how often would flipping coins over the labels A/B produce
this lead?

The p of `sign_flip` is exact for the differences on their grid: no normality, no seed, ties counted
exactly, and small p are as exact as large ones. Only where the distribution is too wide to
enumerate does a seeded Monte-Carlo run replace it, and `method` names which of the two was used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..errors import StatisticsError
from .finite import finite
from .sign_flip import SEED, TINY, lower_tail, sampled_tail, tail_by_counts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["SignFlip", "TTest", "fisher_failures", "paired_t", "sign_flip"]

FINE = 2**15  # steps per standard deviation of the sum, where a measure has no grid of its own


@dataclass(frozen=True, slots=True)
class SignFlip:
    """p_greater: P(sum of +-|d| >= the sum seen), p_less: P(<=); n: differences given, changed:
    those that are not ties on the grid.

    method: "no difference", "binomial", "convolution", or "Monte-Carlo, B draws" with the seed
        used.
    """

    p_greater: float
    p_less: float
    n: int
    changed: int
    method: str
    seed: int | None = None

    @property
    def p_two_sided(self) -> float:
        """Twice the smaller tail, at most 1."""
        return min(1.0, 2 * min(self.p_greater, self.p_less))


@dataclass(frozen=True, slots=True)
class TTest:
    """The paired t test as a quick look: mean of d, its standard error, t, and p (None if d is
    constant or n < 2).
    """

    mean: float
    se: float | None
    t: float | None
    p_greater: float | None
    p_two_sided: float | None


def sign_flip(
    d: object, *, grid: float | None = 0.001, ties: Literal["full", "half"] = "full"
) -> SignFlip:
    """Exact one-sided sign-flip test of the mean of d, which is symmetric about 0 if A and B
    behave alike (Fisher 1935).

    d: one difference an independent unit; for 0/1 scores this is exact McNemar. grid: d is rounded
    to whole multiples of it (1/K for means of K 0/1 outcomes, .001 for other scores); None: whole
    numbers as they are, else a step so fine that rounding does not matter (measures off the 0-1
    scale). ties: "full" counts outcomes equal to the one seen whole (exact), "half" by half
    (mid-p). No difference at all gives p = 1 on both sides. Raises StatisticsError for NaN.
    """
    import numpy as np

    if ties not in ("full", "half"):
        raise StatisticsError(f'ties is {ties!r}; expected "full" (exact) or "half" (mid-p).')
    values = finite(d)
    steps = _steps(values, grid)
    sizes = np.abs(steps[steps != 0])
    changed = len(sizes)
    if not changed:
        return SignFlip(1.0, 1.0, len(values), 0, "no difference")
    sizes = np.sort(sizes // np.gcd.reduce(sizes))
    divisor = np.gcd.reduce(np.abs(steps[steps != 0]))
    won, lost = int(steps[steps > 0].sum() // divisor), int(-steps[steps < 0].sum() // divisor)
    seed = None
    if sizes[0] == sizes[-1]:
        tail, at, method = *tail_by_counts(min(won, lost), changed), "binomial"
    else:
        found = lower_tail(sizes, min(won, lost))
        if found is not None:
            tail, at, method = *found, "convolution"
        else:
            tail, at, draws = sampled_tail(sizes, min(won, lost))
            method, seed = f"Monte-Carlo, {draws:,} draws", SEED
    other = min(1.0, 1.0 - tail + at)
    if ties == "half":
        tail, other = max(tail - at / 2, TINY), other - at / 2
    greater, less = (tail, other) if won >= lost else (other, tail)
    return SignFlip(greater, less, len(values), changed, method, seed)


def paired_t(d: object, *, margin: float = 0.0) -> TTest:
    """The t test that the mean of d is above -margin (0: above 0).

    Raises StatisticsError for NaN.
    """
    from scipy.special import stdtr

    values = finite(d)
    mean = float(values.mean()) if len(values) else 0.0
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    if not spread:
        return TTest(mean, None, None, None, None)
    se = spread / len(values) ** 0.5
    t = (mean + margin) / se
    df = len(values) - 1
    return TTest(mean, se, t, float(stdtr(df, -t)), float(2 * stdtr(df, -abs(t))))


def fisher_failures(failed_a: int, attempted_a: int, failed_b: int, attempted_b: int) -> float:
    """Two-sided Fisher exact p that both arms fail equally often.

    Raises StatisticsError for invalid counts.
    """
    for failed, attempted in ((failed_a, attempted_a), (failed_b, attempted_b)):
        if not 0 <= failed <= attempted:
            raise StatisticsError(
                f"{failed} failed of {attempted} attempted is not a count; expected 0 <= failed <="
                " attempted."
            )
    from scipy.stats import fisher_exact

    table = [[failed_a, attempted_a - failed_a], [failed_b, attempted_b - failed_b]]
    return float(fisher_exact(table).pvalue)


def _steps(values: Floats, grid: float | None) -> NDArray[np.int64]:
    """Whole multiples of the grid. The quotient is rounded at its sixth digit first, so that 0.1235
    / 0.001 is a tie of halves on every machine and 0.1 + 0.2 is 0.3.
    """
    import numpy as np

    if grid is not None and not 0 < grid < float("inf"):
        raise StatisticsError(f"grid is {grid!r}; expected a positive step such as 0.001, or None.")
    if grid is None:
        whole = np.rint(values)
        if len(values) == 0 or (np.array_equal(whole, values) and np.abs(values).sum() < 2**40):
            return whole.astype(np.int64)
        top = float(np.abs(values).max())
        grid = top * float(np.sqrt(np.sum((values / top) ** 2))) / FINE
    quotient = np.rint(np.round(values / grid, 6))
    if len(quotient) and np.abs(quotient).sum() >= 2**52:
        raise StatisticsError(
            f"the differences are more than 2^52 steps of the grid {grid!r}; pass grid=None, or a"
            " wider grid."
        )
    return quotient.astype(np.int64)
