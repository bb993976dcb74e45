"""How many examples a question needs, and what effect a given number can detect. One-sided alpha is
.05 and power 80 % unless specified otherwise.

Exact for 0/1 scores, where the normal approximation promises too much; standard deviations are
those of the paired difference d.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import StatisticsError
from .binary_counts import ALPHA, POWER, least_disagreements, least_gain, least_n
from .finite import share

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = [
    "Repeated",
    "curve",
    "exact_power",
    "least_disagreements",
    "mde",
    "mde_binary",
    "mde_t",
    "n_binary",
    "n_guard",
    "n_normal",
    "n_t",
    "power_t",
]


def mde(sd: float, n: int, *, alpha: float = ALPHA, power: float = POWER) -> float:
    """Smallest mean difference found with this power: (z_{1-alpha} + z_power) sd / sqrt(n) = 2.49
    sd / sqrt(n).
    """
    if n < 1:
        raise StatisticsError(f"n is {n}; a smallest detectable effect needs at least one example.")
    return _zs(alpha, power) * sd / math.sqrt(n)


_BLOCK = 4096  # disagreements of a table


@functools.lru_cache(maxsize=256)
def mde_binary(changed: int, n: int, *, alpha: float = ALPHA, power: float = POWER) -> float | None:
    """Smallest gain of 0/1 scores that the exact test finds with this power, by enumeration, where
    as many examples change as did; a larger gain than their share changes more of them.

    Args:
        changed: examples that came out differently, of n.
        n: examples.
        alpha: one-sided.
        power: wanted.

    Returns:
        None if n examples cannot find any gain.
    """
    return least_gain(
        lambda wins, losses: exact_power(wins, losses, n, alpha=alpha) >= power,
        share_changed=changed / n,
    )


def mde_t(sd: float, n: int, *, alpha: float = ALPHA, power: float = POWER) -> float:
    """Smallest mean difference that the paired t test finds with this power on n >= 2 examples, by
    the noncentral t.
    """
    from scipy.optimize import brentq

    most = 4 * _zs(alpha, power) + 40 / (n - 1)
    while power_t(most / math.sqrt(n), n, alpha=alpha) < power:
        most *= 2
    effect = brentq(lambda e: power_t(e / math.sqrt(n), n, alpha=alpha) - power, 0.0, most)
    return float(effect) * sd / math.sqrt(n)


def n_normal(sd: float, gain: float, *, alpha: float = ALPHA, power: float = POWER) -> float:
    """Examples by the normal approximation, not rounded: ((z_{1-alpha} + z_power) sd / gain)^2.

    Inflate by some 15 %.
    """
    if not gain > 0:
        raise StatisticsError(f"the gain to be found is {gain!r}; expected a number above 0.")
    return (_zs(alpha, power) * sd / gain) ** 2


def n_binary(wins: float, losses: float, *, alpha: float = ALPHA, power: float = POWER) -> int:
    """Least n at which the exact test reaches the power, for 0/1 scores. wins, losses: shares of
    examples that only B, only A gets right.

    By enumeration up to 2,000 expected disagreements; beyond, by the normal approximation with
    continuity correction (within .3 %). Raises StatisticsError unless 0 <= losses < wins and wins +
    losses <= 1.
    """
    if not (0 <= losses < wins and wins + losses <= 1 + 1e-12):
        raise StatisticsError(
            f"wins {wins!r} and losses {losses!r} leave nothing to find; expected shares with"
            " losses < wins, together at most 1."
        )
    return least_n(
        lambda n: exact_power(wins, losses, n, alpha=alpha) >= power,
        wins,
        losses,
        zs=_zs(alpha, power),
        fewest=least_disagreements(alpha),
    )


def exact_power(
    wins: float, losses: float, n: int, *, alpha: float = ALPHA, ties: str = "full"
) -> float:
    """P(exact one-sided sign-flip p <= alpha) on n examples of which shares `wins` and `losses`
    change, by enumeration.

    ties: "full", or "half" for mid-p. With wins = losses it is the size of the test.
    """
    import numpy as np
    from scipy.special import bdtrc

    changed = wins + losses
    if not changed or not n:
        return 0.0
    middle, width = (
        n * min(changed, 1.0),
        12 * math.sqrt(n * changed * max(1 - changed, 0.0)) + 40,
    )  # e^-60 of the probability is beyond
    m = np.arange(max(1, math.floor(middle - width)), min(n, math.ceil(middle + width)) + 1)
    first, last = _table(int(m[0]), int(m[-1]))
    need = _criticals(share(alpha, "alpha"), ties, first, last)[m - first]
    reached = np.where(need <= m, bdtrc(need - 1, m, min(wins / changed, 1.0)), 0.0)
    return float((np.exp(_log_binomial(n, m, changed)) * reached).sum())


def _table(first: int, last: int) -> tuple[int, int]:
    """The numbers of disagreements of a table that holds these: a few tables serve every n of a
    search. Of many disagreements only a stretch is made, since all of them take seconds.
    """
    if last < _BLOCK:
        return 0, (1 << last.bit_length()) - 1
    return first // _BLOCK * _BLOCK, (last // _BLOCK + 1) * _BLOCK - 1


@functools.lru_cache(maxsize=16)
def _criticals(alpha: float, ties: str, first: int, last: int) -> NDArray[np.intp]:
    """For each number of disagreements m from `first` to `last` the fewest wins that are
    significant, m + 1 if none is; by halving, all m at once.
    """
    import numpy as np
    from scipy.special import bdtrc

    m = np.arange(first, last + 1)
    low, high = np.zeros_like(m), m + 1  # no win is never significant, m + 1 means "never"
    if alpha < 0.5:  # half of them never are; so many more always are (Hoeffding)
        low = m // 2
        enough = np.ceil(m / 2 + np.sqrt(m * math.log(1 / alpha) / 2)).astype(m.dtype) + 1
        high = np.minimum(high, enough)
    while (high - low > 1).any():
        middle = (low + high) // 2
        inside = np.clip(middle, 1, np.maximum(m, 1))
        tail = bdtrc(inside - 1, m, 0.5)
        if ties == "half":
            tail = (tail + np.where(inside < m, bdtrc(inside, m, 0.5), 0.0)) / 2
        significant = (tail <= alpha * (1 + 1e-12)) & (middle >= 1)
        searching = high - low > 1
        high = np.where(searching & significant, middle, high)
        low = np.where(searching & ~significant, middle, low)
    high.flags.writeable = False
    return high


def _log_binomial(n: int, m: NDArray[np.intp], p: float) -> Floats:
    import numpy as np
    from scipy.special import gammaln, xlog1py, xlogy

    p = min(p, 1.0)
    with np.errstate(divide="ignore"):
        found: Floats = (
            gammaln(n + 1) - gammaln(m + 1) - gammaln(n - m + 1) + xlogy(m, p) + xlog1py(n - m, -p)
        )
    return found


def n_guard(margin: float, *, alpha: float = ALPHA) -> int:
    """Examples a guardrail on 0/1 scores needs at `margin` if not one of them changes: above z^2 (1
    - margin) / margin (5 pp: 52).
    """
    from scipy.special import ndtri

    share(margin, "margin")
    z = float(ndtri(1 - share(alpha, "alpha")))
    return math.floor(z * z * (1 - margin) / margin) + 1


def power_t(effect: float, n: float, *, alpha: float = ALPHA) -> float:
    """Power of the one-sided paired t test at mean(d) = effect * sd(d), by the noncentral t."""
    from scipy.special import nctdtr, stdtrit

    if n <= 1:
        raise StatisticsError(f"n is {n}; a t test needs at least 2 examples.")
    return float(
        1 - nctdtr(n - 1, effect * math.sqrt(n), stdtrit(n - 1, 1 - share(alpha, "alpha")))
    )


def n_t(effect: float, *, alpha: float = ALPHA, power: float = POWER) -> float:
    """Examples (not rounded) at which the one-sided paired t test reaches the power."""
    from scipy.optimize import brentq

    rough = n_normal(1.0, effect, alpha=alpha, power=power)
    return float(
        brentq(lambda n: power_t(effect, n, alpha=alpha) - power, 1.01, 2 * rough + 50, xtol=1e-10)
    )


@dataclass(frozen=True, slots=True)
class Repeated:
    """Where the variance of d comes from (Miller 2024, eq. 9): omega2 between examples, sigma2_a
    and sigma2_b between the repeats of each arm.

    alpha is one-sided here as everywhere; Miller's two-sided .05 is alpha=.025.
    """

    omega2: float
    sigma2_a: float = 0.0
    sigma2_b: float = 0.0

    def sd(self, repeats: int = 1) -> float:
        """Standard deviation of one example's difference when each arm is asked `repeats` times."""
        return math.sqrt(self.omega2 + (self.sigma2_a + self.sigma2_b) / repeats)

    def n(
        self, gain: float, repeats: int = 1, *, alpha: float = ALPHA, power: float = POWER
    ) -> float:
        """Examples (not rounded) for this gain."""
        return n_normal(self.sd(repeats), gain, alpha=alpha, power=power)

    def mde(self, n: int, repeats: int = 1, *, alpha: float = ALPHA, power: float = POWER) -> float:
        """Smallest gain found on n examples."""
        return mde(self.sd(repeats), n, alpha=alpha, power=power)


def curve(wins: float, losses: float, sizes: Sequence[int], *, alpha: float = ALPHA) -> Floats:
    """Exact power at each number of examples, for a figure."""
    import numpy as np

    return np.array([exact_power(wins, losses, n, alpha=alpha) for n in sizes], dtype=np.float64)


def _zs(alpha: float, power: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(1 - share(alpha, "alpha")) + ndtri(share(power, "power")))
