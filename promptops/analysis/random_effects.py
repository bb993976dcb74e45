"""Gains of several tasks, or of several studies, combined by random effects.

Tasks differ in their true gain. The spread between them is that of REML (of Paule and Mandel's
equation if that does not converge), the mean has Hartung and Knapp's interval, never narrower than
without it, with m - 1 degrees of freedom of t; the gain of another task like these has a prediction
interval with m - 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import StatisticsError
from . import words

__all__ = ["Combined", "combine"]

_LEVEL = 0.90
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Combined:
    """mean: of the tasks' gains, with its interval; tau: standard deviation of the true gains
    between tasks; prediction: interval of the gain of another task (None below 3 tasks); p_spread:
    of "the gain is the same in all tasks" (Cochran's Q); se: of the mean, by Hartung and Knapp;
    tasks: how many there are; alike: the mean in which each task counts alike, and its error.
    """

    mean: float
    interval: Interval
    tau: float
    prediction: Interval | None
    p_spread: float
    se: float
    tasks: int
    alike: tuple[float, float]

    @property
    def p_better(self) -> float:
        """One-sided p of "the mean gain over tasks is not above 0": t with m - 1 degrees."""
        from scipy.special import stdtr

        return float(stdtr(self.tasks - 1, -self.mean / self.se))

    @property
    def p_worse(self) -> float:
        """The same the other way round."""
        return 1.0 - self.p_better

    def statement(self) -> str:
        """The mean over tasks with its interval and p, in one sentence."""
        return (
            f"Over {words.count(self.tasks, 'task')}: {words.points(self.mean)}, 90 % interval"
            f" {words.interval(*self.interval)} (random effects, Hartung-Knapp);"
            f" {words.p_value(self.p_better)}."
        )

    def bound(self, alpha: float, *, alike: bool = True) -> float:
        """One-sided (1 - alpha) lower bound of the mean gain over tasks; alike: also where each
        counts alike: a task in which few losses were seen seems precise, and would outweigh others.
        """
        from scipy.special import stdtrit

        t = float(stdtrit(self.tasks - 1, 1 - alpha))
        means = ((self.mean, self.se), self.alike) if alike else ((self.mean, self.se),)
        return min(mean - t * se for mean, se in means)


def combine(gains: Sequence[float], variances: Sequence[float], level: float = _LEVEL) -> Combined:
    """Random effects of m >= 2 tasks.

    Args:
        gains: one per task.
        variances: of those gains, each above 0.
        level: of the intervals.

    Raises:
        StatisticsError: fewer than two tasks, or a variance that is not above 0.
    """
    import numpy as np
    from scipy.special import chdtrc, stdtrit

    y, v = np.array(gains, dtype=float), np.array(variances, dtype=float)
    if len(y) < 2 or len(y) != len(v) or not (v > 0).all():
        raise StatisticsError(
            "tasks are combined from two gains or more, each with a variance above 0."
        )
    m = len(y)
    tau2 = _reml(y, v)
    weights = 1 / (v + tau2)
    mean = float((weights * y).sum() / weights.sum())
    q = float((weights * (y - mean) ** 2).sum()) / (m - 1)
    se = math.sqrt(max(1.0, q) / float(weights.sum()))
    half = float(stdtrit(m - 1, (1 + level) / 2)) * se
    wide = None
    if m >= 3:
        reach = float(stdtrit(m - 2, (1 + level) / 2)) * math.sqrt(tau2 + se**2)
        wide = (mean - reach, mean + reach)
    fixed = float((y / v).sum() / (1 / v).sum())
    spread = float(((y - fixed) ** 2 / v).sum())
    p_spread = float(chdtrc(m - 1, spread))
    alike = float(y.mean()), math.sqrt(max(float(y.var(ddof=1)), float(v.mean())) / m)
    return Combined(mean, (mean - half, mean + half), math.sqrt(tau2), wide, p_spread, se, m, alike)


def _reml(y: object, v: object) -> float:
    """tau^2 by restricted maximum likelihood, by Fisher scoring; Paule-Mandel where the steps do
    not settle.
    """
    import numpy as np

    gains, variances = np.asarray(y), np.asarray(v)
    tau2 = max(float(gains.var(ddof=1) - variances.mean()), 0.0)
    for _ in range(200):
        w = 1 / (variances + tau2)
        mean = (w * gains).sum() / w.sum()
        total, square = w.sum(), (w**2).sum()
        score = (w**2 * (gains - mean) ** 2).sum() - total + square / total
        information = square - 2 * (w**3).sum() / total + (square / total) ** 2
        following = max(tau2 + float(score / information), 0.0)
        if abs(following - tau2) <= 1e-12 + 1e-10 * tau2:
            return following
        tau2 = following
    return _paule_mandel(gains, variances)


def _paule_mandel(y: object, v: object) -> float:
    """tau^2 at which Cochran's Q equals its degrees of freedom; 0 if it is below them at 0."""
    import numpy as np
    from scipy.optimize import brentq

    gains, variances = np.asarray(y), np.asarray(v)

    def excess(tau2: float) -> float:
        w = 1 / (variances + tau2)
        mean = (w * gains).sum() / w.sum()
        return float((w * (gains - mean) ** 2).sum()) - (len(gains) - 1)

    if excess(0.0) <= 0:
        return 0.0
    most = 1.0
    while excess(most) > 0:
        most *= 4
    return float(brentq(excess, 0.0, most, xtol=1e-14))
