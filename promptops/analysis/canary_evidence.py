"""Is a canary worse than what serves beside it? Evidence per user, never per call.

A canary is sticky: one user's calls are all in one arm, so that calls within it are alike. Counted
as if they were independent, a few heavy users abort a third of all canaries that are as good as the
rest. Here a user is one value, the mean of the user's calls, and each canary user meets a group of
stable users of its own; the evidence is a fair bet on "the canary is not worse" and aborts at 20
(one false abort in twenty), Holm's rule over the measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import StatisticsError
from .e_values import e_value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["ALPHA", "ArmMean", "MeasureEvidence", "Seen", "judge_canary", "measure_evidence"]

ALPHA = 0.05  # one canary in twenty that is as good as the rest may be aborted
QUALITY = "quality"
_QUALITY_SHARE = 0.75  # of alpha; the other measures share the rest


@dataclass(frozen=True, slots=True)
class Seen:
    """One measure of some calls, oldest first.

    users: whose call each is, any hashable numbers or texts; canary: whether the canary answered;
    values: from 0 to 1, higher is better, NaN if the call does not have the measure.
    """

    users: NDArray[np.int64]
    canary: NDArray[np.bool_]
    values: Array

    @classmethod
    def of(cls, calls: Sequence[tuple[object, bool, float | None]]) -> Seen:
        """From (user, canary, value) per call; None: not measured.

        Raises:
            StatisticsError: a value is outside 0 to 1.
        """
        import numpy as np

        known = [call for call in calls if call[2] is not None]
        names = {user: at for at, user in enumerate(dict.fromkeys(call[0] for call in known))}
        values = np.array([call[2] for call in known], dtype=float)
        if len(values) and not ((values >= 0) & (values <= 1)).all():
            raise StatisticsError(
                "a canary guard needs outcomes from 0 to 1; scale the scores so that 1 is the best."
            )
        users = np.array([names[call[0]] for call in known], dtype=np.int64)
        return cls(users, np.array([bool(call[1]) for call in known]), values)


@dataclass(frozen=True, slots=True)
class ArmMean:
    """users: how many have the measure; mean: of their means, NaN without any."""

    users: int
    mean: float


@dataclass(frozen=True, slots=True)
class MeasureEvidence:
    """What one measure says. evidence: that the canary is worse; threshold: at which it aborts;
    aborts: whether it does, by Holm's rule over all measures.
    """

    name: str
    canary: ArmMean
    stable: ArmMean
    evidence: float
    threshold: float = 0.0
    aborts: bool = False


def measure_evidence(name: str, seen: Seen, margin: float = 0.0) -> MeasureEvidence:
    """The evidence that canary users do worse by more than `margin` (0 to 1).

    Raises:
        StatisticsError: a margin outside 0 to 1.
    """

    if not 0 <= margin < 1:
        raise StatisticsError(f"the margin is {margin!r}; expected a share from 0 to below 1.")
    canary, stable = (_user_means(seen, arm) for arm in (True, False))
    groups = min(len(canary), len(stable))
    found = 1.0
    if groups:
        worse = _dealt(stable, groups) - _dealt(canary, groups)
        found = e_value((worse - margin) / (1 + margin))  # a bet loses no more than its stake
    return MeasureEvidence(name, _arm(canary), _arm(stable), float(found))


def judge_canary(
    measures: Mapping[str, Seen],
    *,
    margins: Mapping[str, float] | None = None,
    alpha: float = ALPHA,
) -> list[MeasureEvidence]:
    """Every measure with its evidence, its threshold and whether it aborts.

    Three quarters of alpha are for "quality", the other measures share the rest; without it all
    share alpha. What one measure leaves once it aborts goes to the others (Holm, with weights).
    """
    known = margins or {}
    found = {
        name: measure_evidence(name, seen, known.get(name, 0.0)) for name, seen in measures.items()
    }
    weights = _weights([name for name, each in found.items() if each.canary.users])
    left, aborting = dict(weights), dict[str, float]()
    while left:
        total = sum(left.values())
        name = max(left, key=lambda each: found[each].evidence * left[each])
        threshold = total / (alpha * left[name])
        if found[name].evidence < threshold:
            break
        aborting[name] = threshold
        del left[name]
    rest = sum(left.values()) or 1.0
    return [
        MeasureEvidence(
            name,
            each.canary,
            each.stable,
            each.evidence,
            aborting.get(name) or rest / (alpha * weights.get(name, 1.0)),
            name in aborting,
        )
        for name, each in found.items()
    ]


def _weights(names: Sequence[str]) -> dict[str, float]:
    others = [name for name in names if name != QUALITY]
    if QUALITY not in names or not others:
        return {name: 1 / len(names) for name in names}
    share = (1 - _QUALITY_SHARE) / len(others)
    return {name: _QUALITY_SHARE if name == QUALITY else share for name in names}


def _user_means(seen: Seen, canary: bool) -> Array:
    """The mean of each user of an arm, in the order of their first calls."""
    import numpy as np

    mine = seen.canary == canary
    users, values = seen.users[mine], seen.values[mine]
    if not len(users):
        return np.array([])
    _, first, place = np.unique(users, return_index=True, return_inverse=True)
    means: Array = np.bincount(place, weights=values) / np.bincount(place)
    found: Array = means[np.argsort(first, kind="stable")]
    return found


def _dealt(values: Array, groups: int) -> Array:
    """Means of groups that are dealt round: no two groups share a user."""
    import numpy as np

    place = np.arange(len(values)) % groups
    found: Array = np.bincount(place, weights=values) / np.bincount(place)
    return found


def _arm(values: Array) -> ArmMean:
    return ArmMean(len(values), float(values.mean()) if len(values) else float("nan"))
