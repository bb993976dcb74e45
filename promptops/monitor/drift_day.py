"""One day of a monitor: the evidence with this day's scores, and the alarm that it may be.

Pure over the monitor's file: what asks and what writes is elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..analysis.drift import MAX_UNSCORED, Anchor, Detector, changed_since, tie_break
from ..errors import StudyError
from .attribution import cause_of_probe, lost_examples
from .drift_file import Day, MonitorFile, Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..scorers.case import Scorer

    Floats = NDArray[Any]

__all__ = ["Taken", "anchored", "series_of", "taken"]

_RECOVERED = 7  # days on end that score like the anchor, after which an alarm is over


@dataclass(frozen=True, slots=True)
class Taken:
    """What a day brought. day: UTC date; scores: by scorer, NaN where unscored; answered_by: model
    and fingerprint; judged: by scorer, what `rejudge` found; threshold: the evidence that alarms.
    """

    day: str
    scores: Mapping[str, Floats]
    answered_by: tuple[str, str]
    judged: Mapping[str, tuple[float, float]]
    threshold: float


def series_of(
    scorer: Scorer, text: str | None, scores: Floats, ids: Sequence[str], two_sided: bool
) -> Series:
    """A scorer's series from the anchor's scores, (repeats, examples), NaN where unscored.

    Raises:
        StudyError: too many scores are missing, or an example has none; it names them.
        StatisticsError: a score is outside 0 to 1.
    """
    import numpy as np

    missing = np.isnan(scores)
    lacking: list[bool] = np.all(missing, axis=0).tolist()
    never = [id for id, none in zip(ids, lacking, strict=True) if none]
    if never or missing.mean() > MAX_UNSCORED:
        which = f"; never scored: {', '.join(never[:10])}" if never else ""
        raise StudyError(
            f"the anchor lacks {int(missing.sum()):,} of {missing.size:,} scores by {scorer.name}"
            f"{which}; at most {MAX_UNSCORED:.0%} may be missing: run the same again to finish it."
        )
    anchor = Anchor.of(np.where(missing, np.nanmean(scores, axis=0), scores))
    start = Detector.start(anchor)
    state = {"by_rank": start.by_rank.tolist(), "by_bet": start.by_bet.tolist()}
    return Series(
        scorer.name,
        scorer.version,
        scorer.kind,
        text,
        tuple(anchor.means.tolist()),
        tuple(anchor.totals.tolist()),
        float(anchor.luck),
        (state, state) if two_sided else (state,),
    )


def anchored(series: Series) -> Anchor:
    """The anchor of a series."""
    import numpy as np

    return Anchor(np.array(series.means), np.array(series.totals), np.array(series.luck))


def taken(file: MonitorFile, found: Taken) -> MonitorFile:
    """The file with one more day, and with the alarms that it opens or ends.

    Raises:
        StudyError: more than two percent of a scorer's answers are unscored: the day does not
            count.
    """
    import numpy as np

    names = list(file.answered_by)
    if found.answered_by not in names:
        names.append(found.answered_by)
    out = []
    for series in file.series:
        scores = found.scores[series.scorer]
        missing = np.isnan(scores)
        if missing.mean() > MAX_UNSCORED:
            raise StudyError(
                f"{found.day} does not count for {file.name}: {int(missing.sum()):,} of"
                f" {len(scores):,} answers are unscored by {series.scorer}, and at most"
                f" {MAX_UNSCORED:.0%} may be."
            )
        place = names.index(found.answered_by)
        out.append(_with_day(file, series, found, place))
    file = replace(file, series=tuple(out), answered_by=tuple(names))
    for series in file.series:
        file = _alarmed(file, series, found)
    return file


def _with_day(file: MonitorFile, series: Series, found: Taken, place: int) -> Series:
    import numpy as np

    scores = found.scores[series.scorer]
    missing = np.isnan(scores)
    values = np.where(missing, series.means, scores)  # an unscored example bets on nothing
    anchor, theta = anchored(series), tie_break(f"{file.name}/{series.scorer}", found.day)
    before = np.array([*series.totals, *(day.total for day in series.days)])
    size, states, evidence, steps = len(values), [], [], []
    for rise, state in enumerate(series.states):
        side = anchor.mirrored() if rise else anchor
        seen = np.round(size - before, 9) if rise else before  # ties as `Anchor.mirrored` has them
        rank, bet = np.array(state["by_rank"]), np.array(state["by_bet"])
        detector = Detector(seen, rank, bet, np.array(0.5), np.array(0.0))
        detector = detector.after(side, 1 - values if rise else values, theta)
        states.append({"by_rank": detector.by_rank.tolist(), "by_bet": detector.by_bet.tolist()})
        evidence.append(float(detector.e))
        steps.append(float(detector.step))
    change, judged = found.judged.get(series.scorer, (None, None))
    strongest = steps[evidence.index(max(evidence))]
    total = float(np.round(np.sort(values).sum(), 9))
    day = Day(
        found.day,
        total,
        int(missing.sum()),
        sum(evidence) / len(evidence),
        strongest,
        place,
        change,
        judged,
    )
    return replace(series, states=tuple(states), days=(*series.days, day))


def _alarmed(file: MonitorFile, series: Series, found: Taken) -> MonitorFile:
    last = series.days[-1]
    alarm = next(
        (a for a in file.alarms if a["scorer"] == series.scorer and a["closed"] is None), None
    )
    if alarm is not None:
        return _recovered(file, series, alarm) if _like_the_anchor(series, alarm) else file
    if last.evidence < found.threshold:
        return file
    since = series.days[changed_since([day.step for day in series.days])].day
    days = [day for day in series.days if day.day >= since]
    size = len(file.examples)
    before = sum(series.totals) / len(series.totals) / size
    now = sum(day.total for day in days) / len(days) / size
    lost = lost_examples(file, series, found.scores[series.scorer].tolist())
    cause = cause_of_probe(file, series, since, lost, rise=now > before)
    return file.with_alarm(
        {
            "id": _alarm_id(file, series.scorer, found.day),
            "monitor": file.name,
            "scorer": series.scorer,
            "day": found.day,
            "since": since,
            "evidence": float(f"{last.evidence:.6g}"),
            "threshold": found.threshold,
            "before": round(before, 4),
            "now": round(now, 4),
            "cause": cause.document(),
            "acknowledged": None,
            "closed": None,
            "posted": None,
        }
    )


def _like_the_anchor(series: Series, alarm: Mapping[str, Any]) -> bool:
    """Whether the last days, all after the alarm, differ from the anchor by no more than its luck
    and half an example.
    """
    days = series.days[-_RECOVERED:]
    if len(days) < _RECOVERED or days[0].day <= alarm["day"]:
        return False
    before = sum(series.totals) / len(series.totals)
    now = sum(day.total for day in days) / len(days)
    return abs(before - now) <= len(series.means) * series.luck + 0.5


def _recovered(file: MonitorFile, series: Series, alarm: Mapping[str, Any]) -> MonitorFile:
    """The alarm ended, and the evidence begun again: an e-detector does not forget by itself."""
    nothing = tuple({name: [0.0] * len(x) for name, x in s.items()} for s in series.states)
    fresh = tuple(
        replace(each, states=nothing) if each.scorer == series.scorer else each
        for each in file.series
    )
    closed = {
        "day": series.days[-1].day,
        "why": f"the last {_RECOVERED} days score like the anchor again",
    }
    return replace(file, series=fresh).with_alarm({**alarm, "closed": closed})


def _alarm_id(file: MonitorFile, scorer: str, day: str) -> str:
    seed = f"{file.name}\n{scorer}\n{file.anchored['at']}\n{day}"
    return "a-" + hashlib.sha256(seed.encode()).hexdigest()[:8]
