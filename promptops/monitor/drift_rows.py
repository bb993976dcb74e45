"""Monitors and alarms as rows and lines, for tables, terminals and pages alike."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import PromptOpsError
from .drift_file import MonitorFile, every
from .watch import Watched, thresholds
from .webhook import alarm_text

if TYPE_CHECKING:
    from ..study.project import Project

__all__ = ["alarm_counts", "alarm_rows", "alarm_state", "day_rows", "monitor_rows", "watched_lines"]


def monitor_rows(project: Project) -> list[dict[str, object]]:
    """One row per monitored scorer: its last day, mean, evidence, threshold and open alarms."""
    threshold = thresholds(project)
    rows: list[dict[str, Any]] = []
    for path in every(project):
        try:
            file = MonitorFile.read(path)
        except PromptOpsError as error:
            rows.append(_row(os.path.basename(path).removesuffix(".json"), note=str(error)))
            continue
        for series in file.series:
            last = series.days[-1] if series.days else None
            alarms = [
                alarm["id"] + (" (acknowledged)" if alarm["acknowledged"] else "")
                for alarm in file.alarms
                if alarm["closed"] is None and alarm["scorer"] == series.scorer
            ]
            size = len(file.examples)
            rows.append(
                _row(
                    file.name,
                    scorer=series.scorer,
                    version=_version(file),
                    anchor=sum(series.means) / size,
                    last_day=last.day if last else None,
                    mean=last.total / size if last else None,
                    evidence=last.evidence if last else None,
                    threshold=threshold,
                    days=len(series.days),
                    alarms=", ".join(alarms) or None,
                )
            )
    return rows


def alarm_counts(project: Project) -> tuple[int, int]:
    """How many monitored scorers have an open alarm: those that nobody acknowledged, and those
    whose alarm is acknowledged.
    """
    states: dict[tuple[str, str], bool] = {}
    for path in every(project):
        try:
            file = MonitorFile.read(path)
        except PromptOpsError:  # it is shown as such where monitors are listed
            continue
        for alarm in file.alarms:
            if alarm["closed"] is None:
                place = (path, alarm["scorer"])
                states[place] = states.get(place, True) and alarm["acknowledged"] is not None
    known = sum(states.values())
    return len(states) - known, known


def alarm_rows(files: Sequence[MonitorFile]) -> list[dict[str, Any]]:
    """One row per alarm of these monitors, the newest first."""
    found = [
        {
            "alarm": alarm["id"],
            "monitor": file.name,
            "scorer": alarm["scorer"],
            "day": alarm["day"],
            "since": alarm["since"],
            "before": alarm["before"],
            "now": alarm["now"],
            "evidence": alarm["evidence"],
            "cause": alarm["cause"]["kind"],
            "says": alarm["cause"]["sentence"],
            "state": alarm_state(alarm),
        }
        for file in files
        for alarm in file.alarms
    ]
    return sorted(found, key=lambda row: (row["day"], row["alarm"]), reverse=True)


def day_rows(file: MonitorFile) -> list[dict[str, object]]:
    """One row per scorer and day: mean, evidence, unscored, and who answered."""
    size = len(file.examples)
    return [
        {
            "day": day.day,
            "scorer": series.scorer,
            "mean": day.total / size,
            "evidence": day.evidence,
            "unscored": day.unscored,
            "model": file.answered_by[day.answered_by][0],
            "fingerprint": file.answered_by[day.answered_by][1],
            "judged_again": day.judge_change,
        }
        for series in file.series
        for day in series.days
    ]


def alarm_state(alarm: Any) -> str:
    """open, acknowledged (by whom, why) or over (why)."""
    if alarm["closed"] is not None:
        return f"over since {alarm['closed']['day']}: {alarm['closed']['why']}"
    if alarm["acknowledged"] is not None:
        known = alarm["acknowledged"]
        return f"acknowledged by {known['by']}: {known['reason']}"
    return "open"


def watched_lines(found: Watched) -> list[str]:
    """What a run says of one monitor: alarms with their cause, else quiet, and what is unknown."""
    lines: list[str] = []
    for alarm in found.open_alarms:
        word = "known alarm" if alarm["acknowledged"] else "ALARM"
        first, *rest = alarm_text(alarm)
        lines += [f"{word}: {first}", *(f"  {line}" for line in rest)]
        if alarm["acknowledged"]:
            lines.append(f"  {alarm_state(alarm)}")
    name = found.file.name if found.file is not None else os.path.basename(found.path)
    if found.unknown:
        lines.append(f"unknown: {name}: {found.unknown}")
    elif not lines and found.file is not None:
        lines += [_quiet(found.file)]
    return lines


def _version(file: MonitorFile) -> str:
    """The version that is watched; live quality is of whatever serves."""
    number = file.declaration["number"]
    return "live" if file.live else f"v{number}"


def _quiet(file: MonitorFile) -> str:
    if not file.days:
        return f"quiet: {file.name}: the anchor is frozen, no day is counted yet."
    parts = [
        f"{series.scorer} {100 * series.days[-1].total / len(file.examples):.1f} % (evidence"
        f" {series.days[-1].evidence:,.2f})"
        for series in file.series
    ]
    return f"quiet: {file.name} on {file.days[-1]}: {', '.join(parts)}"


def _row(monitor: str, **known: object) -> dict[str, object]:
    names = (
        *("scorer", "version", "anchor", "last_day", "mean", "evidence", "threshold"),
        *("days", "alarms"),
    )
    return {
        "monitor": monitor,
        **{name: known.get(name) for name in names},
        "note": known.get("note"),
    }
