"""Many looks at once: Holm where any of several claims would be acted on, Benjamini-Hochberg for
lists to triage.

All-of claims (every guardrail passes) need nothing. Adjusted p are in the order given and are
compared with alpha (or the false discovery rate) itself. All raise StatisticsError for NaN or a p
outside 0 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import StatisticsError
from .finite import finite

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["bh", "bonferroni", "by", "holm", "optimism"]


def holm(p: Sequence[float]) -> Floats:
    """Holm (1979): p_(i) * (m - i + 1), cumulative maximum, at most 1. Needs no independence."""
    import numpy as np

    values = _checked(p)
    order = np.argsort(values, kind="stable")
    stepped = np.minimum(np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)), 1.0)
    out = np.empty_like(values)
    out[order] = stepped
    return out


def bonferroni(p: Sequence[float]) -> Floats:
    """p * m, at most 1; never better than Holm, for reference."""
    import numpy as np

    values = _checked(p)
    out: Floats = np.minimum(values * len(values), 1.0)
    return out


def bh(p: Sequence[float]) -> Floats:
    """Benjamini and Hochberg (1995): adjusted p for a list in which at most the rate accepted is to
    be false.
    """
    return _controlled(p, "bh")


def by(p: Sequence[float]) -> Floats:
    """Benjamini and Yekutieli (2001): the same under any dependence."""
    return _controlled(p, "by")


def optimism(k: int) -> float:
    """E[max] of k standard normals: the best of k equal candidates appears this many standard
    errors too good (winner's curse).
    """
    if k < 1 or int(k) != k:
        raise StatisticsError(f"k is {k!r}; expected a whole number of candidates, at least 1.")
    if k == 1:
        return 0.0
    import math

    from scipy.integrate import quad
    from scipy.special import log_ndtr

    def density(x: float) -> float:
        return x * k * math.exp((k - 1) * float(log_ndtr(x)) - x * x / 2) / math.sqrt(2 * math.pi)

    return float(quad(density, -12, 12, epsabs=1e-12, epsrel=1e-12, limit=200)[0])


def _controlled(p: Sequence[float], method: str) -> Floats:
    values = _checked(p)
    if not len(values):
        return values
    from scipy.stats import false_discovery_control

    out: Floats = false_discovery_control(values, method=method)
    return out


def _checked(p: Sequence[float]) -> Floats:
    values = finite(p, "p")
    if len(values) and (values.min() < 0 or values.max() > 1):
        raise StatisticsError(
            f"p holds {values.min() if values.min() < 0 else values.max():g}; expected numbers from"
            " 0 to 1."
        )
    return values
