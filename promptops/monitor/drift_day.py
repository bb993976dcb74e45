"""One day of a monitor: the evidence with this day's scores, and the alarm that it may be.

Pure over the monitor's file: what asks and what writes is elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..analysis.drift import MAX_UNSCORED, Anchor, Detector, tie_break
from ..errors import StudyError
from .attribution import cause_of_probe, lost_examples
from .drift_alarm import RECOVERED, alarm_ended, alarm_opened, open_alarm, since, week
from .drift_file import Day, MonitorFile, Series

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..scorers.case import Scorer

    Floats = NDArray[np.float64]

__all__ = ["Taken", "anchored", "series_of", "taken"]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a day brought. day: UTC date; scores: by scorer, NaN if unscored; answered_by: model
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
    """A scorer's series from the anchor's scores, (repeats, examples), NaN if unscored.

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
    size = len(file.examples)
    anchor = sum(series.totals) / len(series.totals)
    alarm = open_alarm(file, series)
    if alarm is not None:
        mean = week(series, alarm)
        if mean is None or abs(anchor - mean) > size * series.luck + 0.5:  # half an example
            return file
        why = f"the last {RECOVERED} days score like the anchor again"
        return alarm_ended(file, series, alarm, why)
    if series.days[-1].evidence < found.threshold:
        return file
    began = since(series)
    days = [day for day in series.days if day.day >= began]
    before, now = anchor / size, sum(day.total for day in days) / len(days) / size
    if _as_before(before, now, rise_too=len(series.states) > 1):
        return file
    lost = lost_examples(file, series, found.scores[series.scorer].tolist())
    cause = cause_of_probe(file, series, began, lost, rise=now > before)
    return alarm_opened(file, series, found.threshold, cause, (before, now))


def _as_before(before: float, now: float, *, rise_too: bool) -> bool:
    """Whether what looks like a change by chance alone did not move the score that way at all: days
    with the same total are ranked by lot, so that a model that always answers the same would
    otherwise "fall" to what it was. Fewer alarms keep the promised rate.
    """
    small = 1e-9
    return abs(now - before) <= small or (now > before and not rise_too)
