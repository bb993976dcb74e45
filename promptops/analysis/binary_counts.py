"""The figures of paired 0/1 outcomes by the standard library alone, for installs without scipy.

b examples won, c lost, n in all: the same tests and intervals as `paired_tests`, `intervals` and
`power`, to the digits that are printed. Where scipy is installed, those are used; what needs no
more than the standard library they take from here.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from statistics import NormalDist

from .finite import share
from .sign_flip import TINY, tail_by_counts

__all__ = [
    "ALPHA",
    "POWER",
    "e_value",
    "exact_power",
    "least_disagreements",
    "least_gain",
    "least_n",
    "mde",
    "n_needed",
    "sign_test",
    "tango",
    "tango_score",
    "wilson",
    "wilson_at",
]

CAP = 1e300  # larger e-values are given as this
_COUNTED = 1000  # disagreements up to which the tail is a whole number over a power of two
ALPHA, POWER = 0.05, 0.8
# pairs up to which every n near the answer is tried; beyond, power wiggles by less than .1 %
# between neighbours
_SCAN_LIMIT = 1500
_CHANGED_LIMIT = 2000  # expected disagreements beyond which the approximation is within .3 %

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
    return wilson_at(successes, n, _quantile(level))


def wilson_at(successes: float, n: float, z: float) -> Interval:
    """Wilson's score interval at a quantile z of the normal law, n above 0."""
    p, z2n = successes / n, z * z / n
    middle = (p + z2n / 2) / (1 + z2n)
    half = z * math.sqrt(p * (1 - p) / n + z2n / (4 * n)) / (1 + z2n)
    return (0.0 if successes == 0 else max(middle - half, 0.0)), (
        1.0 if successes == n else min(middle + half, 1.0)
    )


def tango_score(b: float, c: float, n: float, delta: float) -> float:
    """The score statistic of H: the difference is delta; standard normal under it, falling in
    delta.
    """
    away = b - c - n * delta
    if abs(away) < 1e-15 * n:
        return 0.0
    linear = -b - c + (2 * n - b + c) * delta
    constant = -c * delta * (1 - delta)
    lost = (math.sqrt(max(linear * linear - 8 * n * constant, 0.0)) - linear) / (
        4 * n
    )  # restricted maximum-likelihood share of c
    variance = n * (2 * lost + delta * (1 - delta))
    return away / math.sqrt(variance) if variance > 1e-300 else math.copysign(1e9, away)


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
    return least_gain(
        lambda wins, losses: exact_power(wins, losses, n) >= POWER, share_changed=changed / n
    )


def least_gain(reached: Callable[[float, float], bool], *, share_changed: float) -> float | None:
    """Smallest gain at which a test reaches its power, to 24 halvings; None if none does.

    Args:
        reached: whether it does where these shares of the examples are won and lost.
        share_changed: of the examples; a larger gain than that changes more of them.
    """

    def at(gain: float) -> bool:
        disagree = max(share_changed, gain)
        return reached((disagree + gain) / 2, (disagree - gain) / 2)

    low, high = 0.0, 1.0
    if not at(high):
        return None
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (low, middle) if at(middle) else (middle, high)
    return high


def n_needed(wins: float, losses: float) -> int:
    """Least n at which the exact test reaches 80 % power; wins above losses, shares of examples."""
    normal = NormalDist()
    return least_n(
        lambda n: exact_power(wins, losses, n) >= POWER,
        wins,
        losses,
        zs=normal.inv_cdf(1 - ALPHA) + normal.inv_cdf(POWER),
        fewest=least_disagreements(),
    )


def least_n(
    reached: Callable[[int], bool], wins: float, losses: float, *, zs: float, fewest: int
) -> int:
    """Least n at which a test reaches its power. By trying up to 2,000 expected disagreements;
    beyond, by the normal approximation with continuity correction (within .3 %).

    Args:
        reached: whether it does on n examples.
        wins: share of the examples that are won, above `losses`.
        losses: share of the examples that are lost.
        zs: the sum of the quantiles of 1 - alpha and of the power.
        fewest: examples below which it never does.
    """
    gain = wins - losses
    rough = (zs * math.sqrt(max(wins + losses - gain**2, 0.0)) / gain) ** 2
    corrected = (math.sqrt(rough) + math.sqrt(rough + 4 / gain)) ** 2 / 4
    if corrected * (wins + losses) > _CHANGED_LIMIT and corrected > _SCAN_LIMIT:
        return math.ceil(corrected)
    low, high = fewest - 1, max(8, math.ceil(corrected))
    while not reached(high):
        low, high = high, math.ceil(1.3 * high) + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    if high > _SCAN_LIMIT:
        return high
    # power is saw-toothed in n: an earlier tooth may reach it
    start = max(fewest, math.floor(0.9 * high) - 5)
    return next(n for n in range(start, high + 1) if reached(n))


def least_disagreements(alpha: float = ALPHA, candidates: int = 1) -> int:
    """Fewest changed examples, all in favour, that can be significant: ceil(log2(m / alpha)), 5 at
    .05.
    """
    return max(math.ceil(math.log2(candidates / share(alpha, "alpha")) - 1e-12), 1)


def exact_power(wins: float, losses: float, n: int) -> float:
    """P(exact one-sided p <= .05) on n examples of which shares `wins` and `losses` change."""
    changed = wins + losses
    if not changed or not n:
        return 0.0
    part = min(changed, 1.0)
    middle, width = n * part, 12 * math.sqrt(n * changed * max(1 - changed, 0.0)) + 40
    first, last = max(1, math.floor(middle - width)), min(n, math.ceil(middle + width))
    size = 1 << last.bit_length()  # a few tables serve every n of a search
    need, q = _criticals(size), min(wins / changed, 1.0)
    fewest, found = need[first], 0.0
    reached = _upper_tail(fewest, first, q)
    for m in range(first, last + 1):
        if fewest <= m:
            found += _chance(n, m, part) * reached
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
