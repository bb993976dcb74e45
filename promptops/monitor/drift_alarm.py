"""Alarms, of a probe's monitor and of live quality alike: opened with a cause, open until a week is
as it should be or a new anchor is accepted.

Pure over the monitor's file: what measures a day and what writes is elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..analysis.drift import changed_since

if TYPE_CHECKING:
    from .attribution import Cause
    from .drift_file import MonitorFile, Series

__all__ = ["RECOVERED", "alarm_ended", "alarm_opened", "all_ended", "open_alarm", "since", "week"]

RECOVERED = 7  # days on end that are as they should be, after which an alarm is over


def open_alarm(file: MonitorFile, series: Series) -> Mapping[str, object] | None:
    """The alarm of this scorer that is not over; None without one."""
    mine = (alarm for alarm in file.alarms if alarm["scorer"] == series.scorer)
    return next((alarm for alarm in mine if alarm["closed"] is None), None)


def since(series: Series) -> str:
    """The day on which the change began, by the steps of the evidence."""
    return series.days[changed_since([day.step for day in series.days])].day


def alarm_opened(
    file: MonitorFile, series: Series, threshold: float, cause: Cause, means: tuple[float, float]
) -> MonitorFile:
    """The file with an alarm of the last day.

    Args:
        file: the monitor's.
        series: the scorer's, whose last day reached the threshold.
        threshold: the evidence that alarms.
        cause: whose doing it is.
        means: mean scores before and since the change.
    """
    last = series.days[-1]
    seed = f"{file.name}\n{series.scorer}\n{file.anchored['at']}\n{last.day}"
    return file.with_alarm(
        {
            "id": "a-" + hashlib.sha256(seed.encode()).hexdigest()[:8],
            "monitor": file.name,
            "scorer": series.scorer,
            "day": last.day,
            "since": since(series),
            "evidence": float(f"{last.evidence:.6g}"),
            "threshold": threshold,
            "before": round(means[0], 4),
            "now": round(means[1], 4),
            "cause": cause.document(),
            "acknowledged": None,
            "closed": None,
            "posted": None,
        }
    )


def week(series: Series, alarm: Mapping[str, Any]) -> float | None:
    """The mean total of the last days that could end the alarm; None if they are too few, or
    not all after it.
    """
    days = series.days[-RECOVERED:]
    if len(days) < RECOVERED or days[0].day <= alarm["day"]:
        return None
    return sum(day.total for day in days) / len(days)


def alarm_ended(
    file: MonitorFile, series: Series, alarm: Mapping[str, object], why: str
) -> MonitorFile:
    """The alarm ended, and the evidence begun again: an e-detector does not forget by itself."""
    nothing = tuple({name: [0.0] * len(x) for name, x in s.items()} for s in series.states)
    fresh = tuple(
        replace(each, states=nothing) if each.scorer == series.scorer else each
        for each in file.series
    )
    closed = {"day": series.days[-1].day, "why": why}
    return replace(file, series=fresh).with_alarm({**alarm, "closed": closed})


def all_ended(
    alarms: Sequence[Mapping[str, object]], day: str, why: str
) -> tuple[Mapping[str, object], ...]:
    """The alarms, those that were open ended by what was accepted."""
    over = {"day": day, "why": why}
    return tuple(
        alarm if alarm["closed"] is not None else {**alarm, "closed": over} for alarm in alarms
    )
