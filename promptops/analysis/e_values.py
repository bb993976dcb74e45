"""Looking early without cheating: e-values and confidence sequences that hold at every look
(Ville's inequality).

E = integral over lambda in [0, 1] of prod_i (1 + lambda d_i): a mixture of fair bets against "the
mean of d is not above 0", for d in [-1, 1]. P(E ever >= 1/alpha) <= alpha, whatever the order, with
no symmetry assumed and no tuning. Look at batch ends of a pre-shuffled order only: what finished
first is not a random sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from ..errors import StatisticsError
from .finite import finite, share

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    LogProduct = Callable[[Floats], Floats]

__all__ = ["CAP", "anytime_p", "e_value", "e_value_of_counts", "lower_bound", "stakes", "wealth"]

CAP = 1e300  # larger e-values are given as this
_ROUND_DOWN = 20_000  # examples beyond which d is rounded down to 1/10,000, which can only lower E
_NODES = 128


def e_value(d: object) -> float:
    """Evidence that the mean of d is above 0; 1 before the first difference.

    d: differences in [-1, 1], one per independent unit.

    Ties change nothing. Raises StatisticsError for NaN, or a difference outside [-1, 1].
    """
    values = _bounded(d)
    changed = values[values != 0]
    if not len(changed):
        return 1.0
    if (abs(changed) == 1).all():
        return e_value_of_counts(int((changed > 0).sum()), int((changed < 0).sum()))
    return min(math.exp(min(_log_mixture(changed), 690.0)), CAP)


def e_value_of_counts(b: int, c: int) -> float:
    """The same for b wins and c losses of 0/1 scores: 2^(b+c+1) B(b+1, c+1) I_1/2(c+1, b+1)."""
    from scipy.special import betainc, betaln

    share_below = float(betainc(c + 1, b + 1, 0.5))
    if (
        share_below < 1e-290
    ):  # all but certainly worse: the closed form underflows, the integral does not
        import numpy as np

        return math.exp(_log_mixture(np.array([1.0, -1.0]), np.array([b, c], dtype=float)))
    log = (b + c + 1) * math.log(2) + float(betaln(b + 1, c + 1)) + math.log(share_below)
    return min(math.exp(min(log, 690.0)), CAP)


def anytime_p(d: object, looks: Sequence[int] | None = None) -> float:
    """1 / the largest E at the looks taken (numbers of examples; default: after every one): a p
    that may be watched.
    """
    values = _bounded(d)
    ends = range(1, len(values) + 1) if looks is None else looks
    best = max((e_value(values[:end]) for end in ends), default=1.0)
    return min(1.0, 1 / max(best, 1.0))


def wealth(d: object, stake: float | Sequence[float]) -> Floats:
    """What a gambler holds after each example who began with 1 and stakes the share `stake` on
    "above 0": one share for all, or one per example, which may depend on earlier examples only
    (`stakes`).
    """
    import numpy as np

    values, staked = _bounded(d), np.asarray(stake, dtype=float)
    if (
        staked.ndim > 1
        or (staked.ndim == 1 and len(staked) != len(values))
        or not ((staked >= 0) & (staked <= 1)).all()
    ):
        raise StatisticsError(
            f"stake is {stake!r}; expected a share from 0 to 1, or one per example."
        )
    out: Floats = np.cumprod(1 + staked * values, dtype=np.float64)
    return out


def stakes(d: object, *, alpha: float = 0.05, most: float = 0.5) -> Floats:
    """A share for each example from those before it: sqrt(2 log(1/alpha) / (t log(1+t) v)), at most
    `most`.

    v is the variance of (d + 1) / 2 so far, begun at 1/4 (predictable plug-in, Waudby-Smith and
    Ramdas 2024, section 3.2).
    """
    import numpy as np

    x = (_bounded(d) + 1) / 2
    t = np.arange(1, len(x) + 1)
    mean = (0.5 + np.cumsum(x)) / (t + 1)
    variance = (0.25 + np.cumsum((x - mean) ** 2)) / (t + 1)
    before = np.concatenate([[0.25], variance[:-1]]) if len(x) else variance
    out: Floats = np.minimum(
        np.sqrt(2 * math.log(1 / share(alpha, "alpha")) / (t * np.log1p(t) * before)) / 2, most
    )
    return out


def lower_bound(d: object, *, alpha: float = 0.05) -> float:
    """Lower end of the one-sided (1 - alpha) confidence sequence of the mean of d: may be read at
    every look. -1 without data.

    The m at which E of (d - m) / (1 + m) is 1/alpha (E falls in m).
    """
    values = _bounded(d)
    wanted = -math.log(share(alpha, "alpha"))
    if not len(values):
        return -1.0
    from scipy.optimize import brentq

    def above(m: float) -> float:
        return _log_mixture((values - m) / (1 + m)) - wanted

    low = -1 + 1e-9
    high = float(values.mean())  # E at the observed mean is at most 1: the bound is below it
    if above(low) <= 0:
        return -1.0
    return float(brentq(above, low, max(high, low + 1e-9), xtol=1e-10))


def _bounded(d: object) -> Floats:
    import numpy as np

    values = finite(d)
    if len(values) and float(np.abs(values).max()) > 1 + 1e-9:
        raise StatisticsError(
            f"a difference of {float(values[np.abs(values).argmax()]):g} is outside [-1, 1];"
            " e-values need scores from 0 to 1, cluster sums divided by the largest cluster."
        )
    return np.clip(values, -1.0, 1.0)


def _log_mixture(values: Floats, weights: Floats | None = None) -> float:
    """log of the integral. Up to 255 factors the polynomial is integrated exactly by 128
    Gauss-Legendre nodes; beyond, by panels over the interval in which the (log-concave) integrand
    is within e^-45 of its top.
    """
    import numpy as np

    if weights is None:
        if len(values) > _ROUND_DOWN:
            values = np.maximum(np.floor(values * 10_000 + 1e-6) / 10_000, values.min())
        values, times = np.unique(values, return_counts=True)
        weights = times.astype(float)

    def log_product(stakes: Floats) -> Floats:
        with np.errstate(divide="ignore"):
            return np.array(
                [float((weights * np.log1p(stake * values)).sum()) for stake in stakes.tolist()],
                dtype=np.float64,
            )

    nodes, shares = _legendre()
    panels = [(0.0, 1.0)]
    if weights.sum() > 255:
        low, high = _support(log_product)
        cuts = np.linspace(low, high, 5)
        panels = list(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True))
    logs = []
    for low, high in panels:
        stakes = low + (high - low) * (nodes + 1) / 2
        logs.append(log_product(stakes) + np.log(shares * (high - low) / 2))
    every = np.concatenate(logs)
    top = float(every.max())
    return top + math.log(float(np.exp(every - top).sum()))


@cache
def _legendre() -> tuple[Floats, Floats]:
    import numpy as np

    return np.polynomial.legendre.leggauss(_NODES)


def _support(log_product: LogProduct) -> tuple[float, float]:
    """Where the log-concave integrand is within 45 of its top, from both sides of its mode, by
    halving.
    """
    import numpy as np

    low, high = 0.0, 1.0
    for _ in range(40):  # golden section would save half the steps; this is plainer
        left, right = low + (high - low) / 3, high - (high - low) / 3
        at = log_product(np.array([left, right]))
        low, high = (left, high) if at[0] < at[1] else (low, right)
    mode = (low + high) / 2
    floor = float(log_product(np.array([mode]))[0]) - 45

    def edge(inside: float, outside: float) -> float:
        if float(log_product(np.array([outside]))[0]) >= floor:
            return outside
        for _ in range(20):
            middle = (inside + outside) / 2
            inside, outside = (
                (middle, outside)
                if float(log_product(np.array([middle]))[0]) >= floor
                else (inside, middle)
            )
        return outside

    return edge(mode, 0.0), edge(mode, 1.0)
