"""The figures of paired 0/1 outcomes by the standard library alone, for installs without scipy.

b examples won, c lost, n in all: the same tests and intervals as `paired_tests`, `intervals` and
`power`, to the digits that are printed. Where scipy is installed, those are used.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from statistics import NormalDist

from .intervals import tango_score
from .power import ALPHA, POWER, least_disagreements
from .sign_flip import TINY, tail_by_counts

__all__ = ["e_value", "exact_power", "mde", "n_needed", "sign_test", "tango", "wilson"]

CAP = 1e300  # larger e-values are given as this
_COUNTED = 1000  # disagreements up to which the tail is a whole number over a power of two
_CHANGED_LIMIT, _SCAN_LIMIT = 2000, 1500  # those of `power.n_binary`

Interval = tuple[float, float]


def sign_test(b: int, c: int) -> tuple[float, float, str]:
    """One-sided p that the candidate is no better, and no worse, and the method's name."""
    if not b + c:
        return 1.0, 1.0, "no difference"
    tail, at = _lower_tail(min(b, c), b + c)
    other = min(1.0, 1.0 - tail + at)
    return (tail, other, "binomial") if b >= c else (other, tail, "binomial")


def tango(b: int, c: int, n: int, *, level: float) -> Interval:
    """Tango's score interval of (b - c) / n."""
    z, at = _quantile(level), (b - c) / n
    low = -1.0 if at <= -1 else _crossing(lambda delta: tango_score(b, c, n, delta) >= z, -1.0, at)
    high = 1.0 if at >= 1 else _crossing(lambda delta: tango_score(b, c, n, delta) >= -z, at, 1.0)
    return low, high


def wilson(successes: int, n: int, *, level: float) -> Interval:
    """Wilson's score interval of a rate, n above 0."""
    z = _quantile(level)
    p, z2n = successes / n, z * z / n
    middle = (p + z2n / 2) / (1 + z2n)
    half = z * math.sqrt(p * (1 - p) / n + z2n / (4 * n)) / (1 + z2n)
    return (0.0 if successes == 0 else max(middle - half, 0.0)), (
        1.0 if successes == n else min(middle + half, 1.0)
    )


def e_value(b: int, c: int) -> float:
    """The e-value against "no better": the fair bets of `e_values.e_value`, in whole numbers where
    they are few.
    """
    if not b + c:
        return 1.0
    n = b + c + 1
    if n <= _COUNTED:
        ways = sum(math.comb(n, i) for i in range(b + 1))
        return min(ways / (n * math.comb(n - 1, b)), CAP)
    few = _log_tail(min(b, c), n)
    log_tail = few if b < c else math.log1p(-math.exp(few))
    log = n * math.log(2) + math.lgamma(b + 1) + math.lgamma(c + 1) - math.lgamma(n + 1)
    return min(math.exp(min(log + log_tail, 690.0)), CAP)


def mde(changed: int, n: int) -> float | None:
    """Smallest gain that the exact test finds with 80 % power where as many examples change."""

    def reached(gain: float) -> bool:
        disagree = max(changed / n, gain)
        return exact_power((disagree + gain) / 2, (disagree - gain) / 2, n) >= POWER

    low, high = 0.0, 1.0
    if not reached(high):
        return None
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def n_needed(wins: float, losses: float) -> int:
    """Least n at which the exact test reaches 80 % power; wins above losses, shares of examples."""
    gain = wins - losses
    spread = math.sqrt(max(wins + losses - gain**2, 0.0))
    normal = NormalDist()
    rough = ((normal.inv_cdf(1 - ALPHA) + normal.inv_cdf(POWER)) * spread / gain) ** 2
    corrected = (math.sqrt(rough) + math.sqrt(rough + 4 / gain)) ** 2 / 4
    if corrected * (wins + losses) > _CHANGED_LIMIT and corrected > _SCAN_LIMIT:
        return math.ceil(corrected)
    low, high = least_disagreements() - 1, max(8, math.ceil(corrected))
    while exact_power(wins, losses, high) < POWER:
        low, high = high, math.ceil(1.3 * high) + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if exact_power(wins, losses, middle) >= POWER else (middle, high)
    if high > _SCAN_LIMIT:
        return high
    start = max(least_disagreements(), math.floor(0.9 * high) - 5)
    return next(n for n in range(start, high + 1) if exact_power(wins, losses, n) >= POWER)


def exact_power(wins: float, losses: float, n: int) -> float:
    """P(exact one-sided p <= .05) on n examples of which shares `wins` and `losses` change."""
    changed = wins + losses
    if not changed or not n:
        return 0.0
    share = min(changed, 1.0)
    middle, width = n * share, 12 * math.sqrt(n * changed * max(1 - changed, 0.0)) + 40
    first, last = max(1, math.floor(middle - width)), min(n, math.ceil(middle + width))
    size = 1 << last.bit_length()  # a few tables serve every n of a search
    need, q = _criticals(size), min(wins / changed, 1.0)
    fewest, found = need[first], 0.0
    reached = _upper_tail(fewest, first, q)
    for m in range(first, last + 1):
        if fewest <= m:
            found += _chance(n, m, share) * reached
        # one more disagreement: P(X >= k) grows by the chance that it is the k-th win
        reached += q * _chance(m, fewest - 1, q)
        if m < last and need[m + 1] > fewest:
            reached -= _chance(m + 1, fewest, q)
            fewest += 1
    return found


@functools.lru_cache(maxsize=16)
def _criticals(size: int) -> tuple[int, ...]:
    """For each number of disagreements below `size` the fewest wins that are significant; one more
    than there are where none is. From m to m + 1 it stays or grows by one.
    """
    fewest, tail = 1, 0.0
    found = [fewest]
    for m in range(size - 1):
        tail += 0.5 * _chance(m, fewest - 1, 0.5)
        if tail > ALPHA * (1 + 1e-12):
            tail -= _chance(m + 1, fewest, 0.5)
            fewest += 1
        found.append(fewest)
    return tuple(found)


def _chance(n: int, k: int, p: float) -> float:
    """P(X = k) of a binomial law."""
    if not 0 <= k <= n:
        return 0.0
    if p >= 1.0:
        return float(k == n)
    if p <= 0.0:
        return float(k == 0)
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p))


def _upper_tail(k: int, n: int, p: float) -> float:
    """P(X >= k) of a binomial law."""
    return math.fsum(_chance(n, i, p) for i in range(k, n + 1))


def _lower_tail(a: int, n: int) -> tuple[float, float]:
    """P(X <= a), P(X = a) for n fair coins, a at most half of n."""
    if n <= _COUNTED:
        return tail_by_counts(a, n)
    return max(math.exp(_log_tail(a, n)), TINY), max(_chance(n, a, 0.5), TINY)


def _log_tail(a: int, n: int) -> float:
    """The logarithm of P(X <= a) for n fair coins, a at most half of n: each term is a share of the
    next, so that adding stops where nothing is left to add.
    """
    ways = math.lgamma(n + 1) - math.lgamma(a + 1) - math.lgamma(n - a + 1)
    term = total = 1.0
    for i in range(a, 0, -1):
        term *= i / (n - i + 1)
        total += term
        if term < 1e-18 * total:
            break
    return ways - n * math.log(2) + math.log(total)


def _quantile(level: float) -> float:
    return NormalDist().inv_cdf(0.5 + level / 2)


def _crossing(above: Callable[[float], bool], low: float, high: float) -> float:
    """Where a falling statistic crosses its bound, by halving to the last bit."""
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if above(middle) else (low, middle)
    return high
