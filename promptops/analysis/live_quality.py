"""Has the quality of live calls fallen? An e-detector over daily means, with a weekly rhythm and a
tolerance.

Live calls have no pairs: other users ask other things each day. The reference is whole weeks, so
that a rhythm of the week is within it; what one day may fall short by is the reference's luck and a
tolerance of three points. Where days differed by more than chance within the reference, a day's
scores count as fewer; single odd days of it, such as an outage, do not make it so. So it finds
large drops and those that only real inputs show, and a probe (`drift`) finds small ones. Inputs
never alarm: `effect_sizes` says what grew, for an alarm's cause.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from ..errors import StatisticsError
from .drift import CAP, LUCK_Z, STAKES

__all__ = [
    *("REFERENCE_DAYS", "TOLERANCE"),
    *("Grown", "LiveDetector", "Mix", "Reference", "by_conversation", "mix_shift"),
]

REFERENCE_DAYS = 28  # whole weeks
TOLERANCE = 0.03
_ODD = 2.5  # deviations, by the median of them, from which a day of the reference is an odd one
_OF_NORMAL = 1.4826  # a standard deviation by the median of the absolute ones


@dataclass(frozen=True, slots=True)
class Reference:
    """What live quality was: the mean over whole weeks, and how far it may be luck.

    spread: the variance of the days' own levels, beyond chance and weekday, by the largest that a
    single score of this mean can have; weekdays: how far each day of the week is from the mean, as
    far as it is by more than one standard error; the first is that of the reference's first day.
    """

    mean: float
    luck: float
    spread: float = 0.0
    weekdays: tuple[float, ...] = ()

    @classmethod
    def of(cls, days: Sequence[tuple[float, int]]) -> Reference:
        """From (total of the scores, how many) per day, in order.

        The luck is 2.33 standard errors of the mean over days, the weekday's own level taken out.

        Raises:
            StatisticsError: the days are not whole weeks, at least two, or a day has no score.
        """
        if len(days) < 14 or len(days) % 7 or any(n < 1 for _, n in days):
            raise StatisticsError(
                f"a reference of {len(days)} days cannot be used; expected whole weeks, at least"
                " two, with a score on each day."
            )
        means = [total / n for total, n in days]
        mean = sum(total for total, _ in days) / sum(n for _, n in days)
        single = mean * (1 - mean)
        chance = single * sum(1 / n for _, n in days) / len(days)
        means = _without_odd(means, chance)
        weekday = [sum(means[at::7]) / len(means[at::7]) for at in range(7)]
        rest = sum((x - weekday[at % 7]) ** 2 for at, x in enumerate(means))
        variance = rest / (len(means) - 7)
        luck = LUCK_Z * math.sqrt(variance / len(means))
        error = math.sqrt(variance / (len(means) // 7))
        apart = [level - mean for level in weekday]
        known = tuple(math.copysign(max(0.0, abs(x) - error), x) for x in apart)
        # a variance by chance has itself an error, of so many days
        chance *= 1 + math.sqrt(2 / (len(means) - 7))
        spread = max(0.0, variance - chance) / single if single > 0 else 0.0
        return cls(mean, luck, spread, known)

    def on(self, place: int) -> Reference:
        """The reference of one day of the week: of a Sunday on which other users ask, what Sundays
        were. place: how many days after the reference's first day.
        """
        if not self.weekdays:
            return self
        return replace(self, mean=self.mean + self.weekdays[place % 7])

    def weight(self, n: int) -> float:
        """What n scores of one day count, each: less than 1 where days differ by more than chance,
        by the design effect of a cluster whose scores share the day's level.
        """
        return 1 / (1 + n * self.spread)


def _without_odd(means: Sequence[float], chance: float) -> list[float]:
    """The days' means, each at most as far from its weekday's median as days usually are: an outage
    would hide a lasting fall for weeks, and has not made the reference's mean any higher.
    """
    middle = [median(means[at % 7 :: 7]) for at in range(len(means))]
    usual = _OF_NORMAL * median(abs(x - own) for x, own in zip(means, middle, strict=True))
    usual *= math.sqrt(len(means) / (len(means) - 7))
    most = _ODD * max(usual, math.sqrt(chance))
    return [min(max(x, own - most), own + most) for x, own in zip(means, middle, strict=True)]


def by_conversation(scores: Iterable[tuple[str, float]]) -> list[float]:
    """The mean score of each conversation, of (conversation, score) per call: its calls are alike,
    and each bet is on something that the others do not tell.
    """
    found: dict[str, list[float]] = {}
    for name, score in scores:
        found.setdefault(name, []).append(score)
    return [sum(sorted(each)) / len(each) for each in found.values()]


@dataclass(frozen=True, slots=True)
class LiveDetector:
    """The evidence after some days; `after` gives the next. states: of each stake."""

    states: tuple[float, ...] = (0.0,) * len(STAKES)
    step: float = 0.0

    def after(
        self, reference: Reference, scores: Sequence[float], tolerance: float = TOLERANCE
    ) -> LiveDetector:
        """The evidence with one more day's scores, each from 0 to 1; a day without scores changes
        nothing.

        Raises:
            StatisticsError: a score is outside 0 to 1.
        """
        if not all(0 <= score <= 1 for score in scores):
            raise StatisticsError(
                "live quality needs scores from 0 to 1 with none missing; leave unscored calls out."
            )
        if not scores:
            return self
        slack = reference.luck + tolerance
        short = [(reference.mean - score - slack) / (1 + slack) for score in sorted(scores)]
        weight = reference.weight(len(short))
        states, factors = [], []
        for stake, state in zip(STAKES, self.states, strict=True):
            log = weight * math.fsum(math.log1p(stake * x) for x in short)
            factors.append(math.exp(min(log, 690.0)))
            states.append(min((state + 1) * factors[-1], CAP))
        step = math.log(sum(factors) / len(factors) + 1e-300)
        return LiveDetector(tuple(states), step)

    @property
    def e(self) -> float:
        """The mean over the stakes, which is compared with the threshold."""
        return sum(self.states) / len(self.states)


@dataclass(frozen=True, slots=True)
class Grown:
    """One group of the inputs (a topic, a language, a length): its share before and since, and its
    quality before and since, None if nothing of it was scored.
    """

    name: str
    share_before: float
    share_since: float
    quality_before: float | None
    quality_since: float | None


@dataclass(frozen=True, slots=True)
class Mix:
    """How much of a fall is other inputs, and how much is worse answers to the same ones.

    by_mix: what the fall would be had each group kept its quality; within: what it would be had the
    groups kept their shares; both in score, negative for a fall. groups: the largest growth first.
    """

    by_mix: float
    within: float
    groups: tuple[Grown, ...]


def mix_shift(before: Mapping[str, Sequence[float]], since: Mapping[str, Sequence[float]]) -> Mix:
    """Split a change of the mean into mix and within, from group -> scores before and since.

    A group that one side lacks counts as mix, with the quality that is known of it.
    """
    total_before = sum(map(len, before.values())) or 1
    total_since = sum(map(len, since.values())) or 1
    groups, by_mix, within = [], 0.0, 0.0
    for name in dict.fromkeys([*before, *since]):
        old, new = before.get(name, ()), since.get(name, ())
        p, q = len(old) / total_before, len(new) / total_since
        was, now = _mean(old), _mean(new)
        known_was = was if was is not None else now
        known_now = now if now is not None else was
        if known_was is not None and known_now is not None:
            by_mix += (q - p) * (known_was + known_now) / 2
            within += (known_now - known_was) * (p + q) / 2
        groups.append(Grown(name, p, q, was, now))
    ordered = sorted(groups, key=lambda each: each.share_before - each.share_since)
    return Mix(by_mix, within, tuple(ordered))


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
