"""Has the same question become worse answered? Two e-detectors over daily probes, half the stake
each.

The evidence E of a monitor is compared with a threshold of B days. Without drift the mean of E
after t days is at most t, so that a monitor alarms falsely once in B days on average, whatever the
number of examples, the noise of the model, or the day on which it began. A project that keeps m
monitors gives each the threshold 365 m (`threshold`): one false alarm per year in all.

Every function takes leading axes, so that a thousand monitors are simulated by the code that runs
one: an anchor is (..., repeats, examples), a day's scores are (..., examples).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import StatisticsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = [
    "DAYS_PER_FALSE_ALARM",
    "MAX_UNSCORED",
    "Anchor",
    "Detector",
    "threshold",
    "changed_since",
    "tie_break",
]

DAYS_PER_FALSE_ALARM = 365.0  # of a whole project
MAX_UNSCORED = 0.02  # a day that lacks more of its scores does not count
POWERS = (0.1, 0.2, 0.4, 0.6)  # of the bets on the rank of a day
STAKES = (0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8)  # of the bets against the anchor
LUCK_Z = 2.33  # one anchor in a hundred is luckier than its allowance
CAP = 1e300
_DIGITS = 9  # of a day's total: sums of the same scores in another order are ties


@dataclass(frozen=True, slots=True)
class Anchor:
    """What a version scored when its monitor was frozen: the mean of each example, the total of
    each repeat, and how much of the mean may be luck.
    """

    means: Floats
    totals: Floats
    luck: Floats

    @classmethod
    def of(cls, scores: object) -> Anchor:
        """The anchor of (..., repeats, examples) scores from 0 to 1.

        Raises:
            StatisticsError: a score is missing or outside 0 to 1, or there are fewer than two
                repeats.
        """
        import numpy as np

        values = _scores(scores)
        if values.ndim < 2 or values.shape[-2] < 2 or not values.shape[-1]:
            raise StatisticsError(
                f"an anchor has the shape {values.shape}; expected at least two repeats of at least"
                " one example."
            )
        repeats, examples = values.shape[-2:]
        spread = np.sort(values.var(axis=-2, ddof=1), axis=-1).sum(axis=-1)
        luck = LUCK_Z * np.sqrt(spread / repeats) / examples
        return cls(values.mean(axis=-2), _total(values), luck)

    @property
    def mean(self) -> Floats:
        """The mean score over all examples and repeats."""
        found: Floats = self.totals.mean(axis=-1) / self.means.shape[-1]
        return found

    def mirrored(self) -> Anchor:
        """The anchor of 1 - score: a rise of the score is a fall of it."""
        import numpy as np

        size = self.means.shape[-1]
        return Anchor(1 - self.means, np.round(size - self.totals, _DIGITS), self.luck)


@dataclass(frozen=True, slots=True)
class Detector:
    """The evidence after some days; `after` gives the next.

    seen: totals of the anchor's repeats and of all days so far; by_rank, by_bet: the evidence of
    each single bet; step: log of the last day's own factor against the anchor, which dates a
    change.
    """

    seen: Floats
    by_rank: Floats
    by_bet: Floats
    rank: Floats
    step: Floats

    @classmethod
    def start(cls, anchor: Anchor) -> Detector:
        """Before the first day: no evidence at all."""
        import numpy as np

        lead = anchor.means.shape[:-1]
        return cls(
            anchor.totals,
            np.zeros((*lead, len(POWERS))),
            np.zeros((*lead, len(STAKES))),
            np.full(lead, 0.5),
            np.zeros(lead),
        )

    def after(self, anchor: Anchor, scores: object, theta: object) -> Detector:
        """The evidence with one more day.

        Args:
            anchor: of the same examples, in the same order.
            scores: the day's, from 0 to 1.
            theta: from 0 to 1, drawn for this day (`tie_break`): the day's rank among days with the
                same total.

        Raises:
            StatisticsError: a score is missing or outside 0 to 1, or there are more or fewer than
                the anchor has.
        """
        import numpy as np

        values = _scores(scores)
        if values.shape[-1] != anchor.means.shape[-1]:
            raise StatisticsError(
                f"the day has {values.shape[-1]} scores and the anchor {anchor.means.shape[-1]}"
                " examples; expected one score per example."
            )
        total = _total(values)
        seen = np.concatenate([self.seen, total[..., None]], axis=-1)
        below = (seen < total[..., None]).sum(axis=-1)
        equal = (seen == total[..., None]).sum(axis=-1)
        rank = (below + np.asarray(theta, dtype=float) * equal) / seen.shape[-1]
        powers = np.array(POWERS)
        odds = powers * np.maximum(rank, 1e-12)[..., None] ** (powers - 1)
        by_rank = np.minimum((self.by_rank + 1) * odds, CAP)
        log = _log_bets(anchor, values)
        with np.errstate(over="ignore"):  # infinite evidence is capped like all that is too large
            by_bet = np.minimum((self.by_bet + 1) * np.exp(np.minimum(log, 690.0)), CAP)
        step = np.log(np.exp(np.minimum(log, 690.0)).mean(axis=-1) + 1e-300)
        return Detector(seen, by_rank, by_bet, rank, step)

    @property
    def conformal(self) -> Floats:
        """Evidence that days are not exchangeable: low totals come late."""
        found: Floats = self.by_rank.mean(axis=-1)
        return found

    @property
    def betting(self) -> Floats:
        """Evidence that days score below the anchor by more than its luck."""
        found: Floats = self.by_bet.mean(axis=-1)
        return found

    @property
    def e(self) -> Floats:
        """The mean of both, which is compared with the threshold."""
        return (self.conformal + self.betting) / 2


def threshold(monitors: int, days: float = DAYS_PER_FALSE_ALARM) -> float:
    """The evidence at which a monitor alarms, in a project that keeps so many monitors and accepts
    one false alarm in `days` days over all of them.

    Raises:
        StatisticsError: there is no monitor, or `days` is not positive.
    """
    if monitors < 1 or not days > 0:
        raise StatisticsError(
            f"{monitors} monitors and {days:g} days per false alarm give no threshold; expected at"
            " least one monitor and a positive number of days."
        )
    return days * monitors


def tie_break(monitor: str, day: str) -> float:
    """A number from 0 to 1 that the monitor's name and the day give: drawn by nobody, the same on
    every machine.
    """
    digest = hashlib.sha256(f"{monitor}\n{day}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def changed_since(steps: Sequence[float]) -> int:
    """The day, by its index, since which the evidence speaks most for a change: the start of the
    sum of steps that is largest at the end.
    """
    best, found, total = float("-inf"), max(len(steps) - 1, 0), 0.0
    for index in range(len(steps) - 1, -1, -1):
        total += steps[index]
        if total > best:
            best, found = total, index
    return found


def _log_bets(anchor: Anchor, values: Floats) -> Floats:
    """log of each stake's product over the examples, which are sorted so that their order in the
    dataset changes not even the last digit.
    """
    import numpy as np

    luck = anchor.luck[..., None]
    short = np.sort((anchor.means - values - luck) / (1 + luck), axis=-1)
    return np.stack([np.log1p(stake * short).sum(axis=-1) for stake in STAKES], axis=-1)


def _total(values: Floats) -> Floats:
    import numpy as np

    found: Floats = np.round(np.sort(values, axis=-1).sum(axis=-1), _DIGITS)
    return found


def _scores(scores: object) -> Floats:
    import numpy as np

    values: Floats = np.ascontiguousarray(scores, dtype=float)  # sums depend on the layout
    if not ((values >= 0) & (values <= 1)).all():
        raise StatisticsError(
            "a drift monitor needs scores from 0 to 1, and none missing; give the scorer a scale or"
            " a threshold."
        )
    return values
