"""One comparison over several tasks: a row per task first, then what a further task may expect.

Tasks differ in their true gain, so they are combined by random effects: the spread between tasks by
REML (by Paule and Mandel's equation if that does not converge), the mean with its interval by
Hartung and Knapp, never narrower than without them, t with m - 1 degrees of freedom; the gain of
another task like these by the prediction interval, t with m - 2. The verdict stays that of the
policy over examples, unless the policy says `estimand="tasks"` (`task_checks`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import StatisticsError
from . import words
from .arms import Pairs
from .compare import Comparison
from .part_gain import PartGain, frame_of
from .slices import part_of, places_of
from .units import labels_of, units_of

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Combined", "Task", "Tasks", "combine", "over_tags", "over_tasks"]

_LEVEL = 0.90
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Combined:
    """mean: of the tasks' gains, with its interval; tau: standard deviation of the true gains
    between tasks; prediction: interval of the gain of another task (None below 3 tasks); p_spread:
    of "the gain is the same in all tasks" (Cochran's Q); se: of the mean, by Hartung and Knapp;
    tasks: how many there are.
    """

    mean: float
    interval: Interval
    tau: float
    prediction: Interval | None
    p_spread: float
    se: float
    tasks: int

    @property
    def p_better(self) -> float:
        """One-sided p of "the mean gain over tasks is not above 0": t with m - 1 degrees."""
        from scipy.special import stdtr

        return float(stdtr(self.tasks - 1, -self.mean / self.se))

    @property
    def p_worse(self) -> float:
        """The same the other way round."""
        return 1.0 - self.p_better

    def bound(self, alpha: float) -> float:
        """One-sided (1 - alpha) lower bound of the mean gain over tasks."""
        from scipy.special import stdtrit

        return self.mean - float(stdtrit(self.tasks - 1, 1 - alpha)) * self.se


@dataclass(frozen=True, slots=True)
class Task(PartGain):
    """One task. se: the standard error of its gain."""

    se: float = 0.0

    @property
    def task(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Tasks:
    """rows: biggest loss first; won: tasks with a gain; combined: None below 2 tasks; notes: a
    sentence each, first how many tasks are won, last what goes against the whole.
    """

    rows: tuple[Task, ...]
    won: int
    overall: float
    combined: Combined | None
    notes: tuple[str, ...]

    @property
    def frame(self) -> DataFrame:
        """One row per task."""
        return frame_of(self.rows, Task, "task")

    def __repr__(self) -> str:
        return f"<Tasks: {' '.join(self.notes)}>"


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
    return Combined(mean, (mean - half, mean + half), math.sqrt(tau2), wide, p_spread, se, m)


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


def over_tags(
    comparison: Comparison, tags: Sequence[str] | None = None, *, name: str | None = None
) -> Tasks:
    """The tasks of one comparison, a tag each.

    Args:
        comparison: of a dataset whose tags are tasks.
        tags: which of them; None: all.
        name: a measure; None: the primary.

    Raises:
        StatisticsError: no example has a tag, or none has one of these.
    """
    measure = name or comparison.primary_name
    pairs = comparison.pairs(measure)
    found = places_of(pairs, comparison.grounds.tags)
    missing = [tag for tag in tags or () if tag not in found]
    if missing or not found:
        named = f"no example has the tag {missing[0]!r}" if missing else "no example has a tag"
        raise StatisticsError(f"{named}; read the dataset with tags= the column of its tasks.")
    chosen = {tag: part_of(pairs, found[tag]) for tag in (tags or found)}
    rows = [_task(tag, part, comparison) for tag, part in chosen.items() if part.n > 1]
    return _tasks(rows, comparison[measure].gain, comparison.candidate.label)


def over_tasks(comparisons: Mapping[str, Comparison]) -> Tasks:
    """The tasks of several comparisons of the same two versions, a study or a dataset each.

    Args:
        comparisons: task -> its comparison.

    Raises:
        StatisticsError: they are not of the same two versions.
    """
    found = list(comparisons.values())
    if len({(c.candidate.version, c.baseline.version) for c in found}) != 1:
        raise StatisticsError("tasks are compared for one candidate and one baseline; name both.")
    rows = [_task(name, c.pairs(), c) for name, c in comparisons.items() if c.pairs().n > 1]
    total = sum(row.n for row in rows)
    overall = sum(row.n * row.gain for row in rows) / total if total else 0.0
    return _tasks(rows, overall, found[0].candidate.label)


def _task(name: str, pairs: Pairs, comparison: Comparison) -> Task:
    clusters = comparison.grounds.clusters
    se = math.sqrt(_variance(pairs, labels_of(pairs, clusters)))
    return replace(Task.of(name, pairs, clusters), se=se)


def _variance(pairs: Pairs, labels: list[str] | None) -> float:
    """Of the mean gain. Where every example shows the same, that of one more that won and one more
    that lost (Bonett and Price), since a few equal examples are not certain.
    """
    units, _ = units_of(pairs.d, labels)
    m = len(units)
    if m > 1 and float(units.std()) > 1e-12:
        return m * float(units.var(ddof=1)) / pairs.n**2
    gain = abs(float(pairs.d.mean()))
    won, lost = (gain * m + 1) / (m + 2), 1 / (m + 2)
    return max(won + lost - (won - lost) ** 2, 1e-9) / (m + 2)


def _tasks(rows: Sequence[Task], overall: float, label: str) -> Tasks:
    ranked = tuple(sorted(rows, key=lambda row: (row.gain, row.name)))
    won = sum(row.gain > 1e-12 for row in ranked)
    lost = [row for row in ranked if row.gain < -1e-12]
    notes = [f"{label} wins on {won} of {words.count(len(ranked), 'task')}, loses on {len(lost)}."]
    combined = None
    if len(ranked) >= 2:
        combined = combine([row.gain for row in ranked], [row.se**2 for row in ranked])
        notes.append(
            f"Over tasks: {words.points(combined.mean)}, 90 % interval"
            f" {words.interval(*combined.interval)} (random effects, Hartung-Knapp)."
        )
        if combined.prediction is not None:
            notes.append(
                f"Another task like these: {words.interval(*combined.prediction)} points (90 %"
                f" prediction interval; the gain is the same in all tasks: p ="
                f" {words.number(combined.p_spread, 2)})."
            )
    against = [row for row in ranked if row.gain * overall < 0 and abs(row.gain) > 1e-12]
    if against:
        named = ", ".join(f"{row.name} ({words.points(row.gain)})" for row in against[:5])
        more = f" and {len(against) - 5} more" if len(against) > 5 else ""
        notes.append(f"Against the whole of {words.points(overall)} go {named}{more}.")
    return Tasks(ranked, won, overall, combined, tuple(notes))
