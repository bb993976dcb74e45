"""A judge's mean corrected by a few human labels, with an interval that is honest about both.

Prediction-powered inference (Angelopoulos et al. 2023) holds for any judge, also one that favours
one arm, when applied to the differences d; Rogan-Gladen (1978) needs a judge that errs alike on
both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import StatisticsError
from .finite import finite
from .intervals import quantile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Corrected", "ppi", "rogan_gladen", "sensitivity_specificity"]


@dataclass(frozen=True, slots=True)
class Corrected:
    """value with its interval; bias: mean of judge minus human on the labelled items; weight:
    lambda, how far the judge is used (1: fully).
    """

    value: float
    low: float
    high: float
    bias: float
    weight: float
    labelled: int
    unlabelled: int


def ppi(
    human: object,
    judge_labelled: object,
    judge_unlabelled: object,
    *,
    level: float = 0.95,
    tuned: bool = False,
) -> Corrected:
    """mean f(U) + mean(Y - f(L)), its variance var(f(U))/N + var(Y - f(L))/n, population variances.

    human, judge_labelled: the same n items; judge_unlabelled: N other ones. For a comparison pass
    differences d. tuned: PPI++, lambda chosen to lessen the variance, so that a useless judge is
    not used. Raises StatisticsError for unequal lengths or fewer than 2 labels.
    """
    import numpy as np

    y, f, u = (
        finite(human, "human"),
        finite(judge_labelled, "judge_labelled"),
        finite(judge_unlabelled, "judge_unlabelled"),
    )
    if len(y) != len(f):
        raise StatisticsError(
            f"{len(y)} human labels are beside {len(f)} of the judge; expected the same items."
        )
    if len(y) < 2 or not len(u):
        raise StatisticsError(
            f"{len(y)} labelled and {len(u)} unlabelled items are too few; expected at least 2"
            " and 1."
        )
    weight = _tuned(y, f, u) if tuned else 1.0
    rest = y - weight * f
    value = float(weight * u.mean() + rest.mean())
    half = quantile(level) * math.sqrt(
        float(np.var(weight * u)) / len(u) + float(np.var(rest)) / len(y)
    )
    return Corrected(
        value, value - half, value + half, float((f - y).mean()), weight, len(y), len(u)
    )


def _tuned(y: Floats, f: Floats, u: Floats) -> float:
    """lambda of PPI++ (Angelopoulos, Duchi and Zrnic 2023, example 6.1), kept in [0, 1]."""
    import numpy as np

    spread = float(np.var(np.concatenate([f, u]), ddof=1))
    if not spread:
        return 0.0
    together = float(np.cov(y, f, ddof=0)[0, 1])
    return min(max(together / ((1 + len(y) / len(u)) * spread), 0.0), 1.0)


def rogan_gladen(rate: float, sensitivity: float, specificity: float) -> float:
    """The true rate behind a judge's 0/1 rate: (p + specificity - 1) / (sensitivity + specificity -
    1), cut to [0, 1].

    Raises StatisticsError if the judge tells nothing (sensitivity + specificity <= 1).
    """
    for name, value in (("rate", rate), ("sensitivity", sensitivity), ("specificity", specificity)):
        if not 0 <= value <= 1:
            raise StatisticsError(f"{name} is {value!r}; expected a share from 0 to 1.")
    if sensitivity + specificity <= 1:
        raise StatisticsError(
            f"sensitivity {sensitivity:g} and specificity {specificity:g} are no better than a"
            " coin; such a judge cannot be corrected."
        )
    return min(max((rate + specificity - 1) / (sensitivity + specificity - 1), 0.0), 1.0)


def sensitivity_specificity(human: object, judge: object) -> tuple[float | None, float | None]:
    """The share of true passes that the judge passes, and of true failures that it fails, from
    labels of 0 and 1; None for a share without labels of its kind.
    """
    y, f = finite(human, "human"), finite(judge, "judge")
    if len(y) != len(f):
        raise StatisticsError(
            f"{len(y)} human labels are beside {len(f)} of the judge; expected the same items."
        )
    right, wrong = f[y == 1], f[y == 0]
    return (float(right.mean()) if len(right) else None), (
        float(1 - wrong.mean()) if len(wrong) else None
    )
