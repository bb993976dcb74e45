"""Drift monitors of deployed prompts: declared once, asked again each day, their alarms
acknowledged or accepted.

A project promises one false alarm per year over all its monitors, or as many as its promptops.toml
accepts: the threshold of each is their number times 365 days. What could not be found out is
reported, and is never taken for quiet.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..analysis.drift import DAYS_PER_FALSE_ALARM, threshold
from ..dataset import Dataset
from ..errors import PromptOpsError, StudyError
from ..registry.history import SavedEntry
from ..run import utc
from ..scorers.case import Scorer
from ..scorers.grammar import text_of
from ..study.design import as_dataset
from .drift_alarm import all_ended
from .drift_day import Taken, series_of, taken
from .drift_declared import (
    check_same,
    dataset_document,
    declared_dataset,
    declared_scorers,
    moved,
    scorers_of,
    serving_entry,
)
from .drift_file import MonitorFile, every, path_of, reason_kept, reserved
from .drift_judge import rejudge
from .drift_probe import Probing, probe

if TYPE_CHECKING:
    from ..study.project import Project

__all__ = [
    *("ANCHOR_REPEATS", "Watched", "accept", "acknowledge", "counted_ahead", "declare", "run_day"),
    "thresholds",
]

ANCHOR_REPEATS = 10


@dataclass(frozen=True, slots=True)
class Watched:
    """What a monitor says. path: of its file; file: what it holds, None if it cannot be read;
    unknown: why this day could not be found out, "" if it could.
    """

    path: str
    file: MonitorFile | None
    unknown: str = ""

    @property
    def open_alarms(self) -> tuple[dict[str, object], ...]:
        """Alarms that are not over, acknowledged or not."""
        alarms = self.file.alarms if self.file is not None else ()
        return tuple(dict(alarm) for alarm in alarms if alarm["closed"] is None)

    @property
    def exit_code(self) -> int:
        """0 quiet or acknowledged, 1 alarm, 2 could not find out."""
        if any(alarm["acknowledged"] is None for alarm in self.open_alarms):
            return 1
        return 2 if self.unknown else 0


def declare(
    project: Project,
    prompt: str,
    probe_data: object,
    scorers: Sequence[object],
    *,
    env: str,
    budget_usd: float | None = None,
    two_sided: bool = False,
) -> Watched:
    """Freeze the anchor of what `env` serves and write the monitor's file; nothing is asked where
    the same is watched already.

    Raises:
        StudyError: another declaration of this monitor exists, nothing serves, or the anchor is
            incomplete.
    """
    path = path_of(project, prompt, env)
    entry = serving_entry(project, prompt, env)
    data = as_dataset(probe_data, project.store, project.root)
    judges = scorers_of(scorers)
    if os.path.exists(path):
        file = MonitorFile.read(path)
        check_same(file, data, judges)
        return Watched(path, file, moved(file, entry))
    declaration = {
        "prompt": prompt,
        "env": env,
        "dataset": dataset_document(project, data),
        "repeats": ANCHOR_REPEATS,
        "budget_usd": budget_usd,
        "two_sided": two_sided,
    }
    with reserved(f"{path}.asking", 1.0):
        file = _anchor(project, declaration, entry, data, judges, ())
        with reserved(path):
            if os.path.exists(path):
                return Watched(path, MonitorFile.read(path))
            file.write(path)
    return Watched(path, file)


def run_day(
    project: Project,
    path: str,
    day: str = "",
    scorers: Sequence[object] | None = None,
    dataset: object = None,
) -> Watched:
    """Ask the probe of one monitor for a day, and take the day into its file.

    A day counts once: run twice it asks nothing and says the same; interrupted it is finished by
    the next run.

    Args:
        path: of the monitor's file.
        day: UTC date; "": today.
        scorers: as they were declared, for those that only Python has.
        dataset: as it was declared, where neither the store nor its file has it.
    """
    try:
        file = MonitorFile.read(path)
    except PromptOpsError as error:
        return Watched(path, None, str(error))
    day = day or utc()[:10]
    if day in file.days:
        return Watched(path, file)
    try:
        with reserved(f"{path}.asking", 1.0):
            return Watched(path, _asked(project, path, day, scorers, dataset))
    except PromptOpsError as error:
        return Watched(path, MonitorFile.read(path), str(error))


def acknowledge(project: Project, alarm: str, reason: str) -> MonitorFile:
    """Record that an alarm is known and why it is accepted: it is shown, and no longer an exit
    code.

    Raises:
        StudyError: there is no such open alarm, or no reason is given.
    """
    if not reason.strip():
        raise StudyError(
            "an acknowledgement needs a reason; pass reason= with what is known about the alarm."
        )
    for path in every(project):
        with reserved(path):
            file = MonitorFile.read(path)
            for each in file.alarms:
                if each["id"] == alarm and each["closed"] is None:
                    word = {"at": utc(), "by": project.author, "reason": reason_kept(reason)}
                    file = file.with_alarm({**each, "acknowledged": word})
                    file.write(path)
                    return file
    raise StudyError(f"there is no open alarm {alarm!r}; `promptops watch list` names them.")


def accept(
    project: Project,
    prompt: str,
    env: str,
    reason: str,
    scorers: Sequence[object] | None = None,
    dataset: object = None,
) -> MonitorFile:
    """Take what the model does now, or what the environment serves now, for the new anchor: asks it
    ten times, ends every alarm, and records who accepted it and why.

    Raises:
        StudyError: there is no such monitor, no reason is given, or the anchor is incomplete.
    """
    if not reason.strip():
        raise StudyError(
            "a new anchor needs a reason; pass reason= with why the present quality is right."
        )
    path = path_of(project, prompt, env)
    with reserved(f"{path}.asking", 1.0):
        old = MonitorFile.read(path)
        entry = serving_entry(project, prompt, env)
        data = declared_dataset(project, old, dataset)
        judges = declared_scorers(old, scorers)
        entries = (*old.history, _accepted(project, old, reason))
        new = _anchor(project, old.declaration, entry, data, judges, entries)
        with reserved(path):
            now = MonitorFile.read(path)
            why = f"a new anchor was accepted: {reason_kept(reason)}"
            new = replace(new, alarms=all_ended(now.alarms, utc()[:10], why))
            new.write(path)
    return new


def thresholds(project: Project) -> float:
    """The evidence at which each monitor of the project alarms: the days per false alarm (365,
    where promptops.toml accepts no other rate) times their number.
    """
    count = 0
    for path in every(project):
        try:
            count += len(MonitorFile.read(path).series)
        except PromptOpsError:  # it is reported when it is run; it still counts as one
            count += 1
    rate = project.location.file.false_alarms_per_year
    return threshold(max(count, 1), DAYS_PER_FALSE_ALARM / rate)


def counted_ahead(file: MonitorFile, last: str) -> str:
    """What to do about a last day that has not come yet; "" if it has."""
    if last <= utc()[:10]:
        return ""
    live = " --live" if file.live else ""
    return (
        f"{last} has not come yet, so a clock was ahead when it was counted: `promptops watch"
        f" accept {file.declaration['prompt']} --env {file.declaration['env']}{live} --reason TEXT`"
        " takes a new anchor, after which today counts."
    )


def _asked(
    project: Project, path: str, day: str, scorers: Sequence[object] | None, dataset: object
) -> MonitorFile:
    file = MonitorFile.read(path)
    if day in file.days:
        return file
    if file.days and day < file.days[-1]:
        raise StudyError(
            f"{file.name} has counted {file.days[-1]} already; {day} is before it and can"
            f" no longer be counted; {counted_ahead(file, file.days[-1]) or 'run a later day.'}"
        )
    entry = serving_entry(project, file.declaration["prompt"], file.declaration["env"])
    if otherwise := moved(file, entry):
        raise StudyError(otherwise)
    data, judges = declared_dataset(project, file, dataset), declared_scorers(file, scorers)
    asked = Probing(
        file.name,
        entry,
        file.declaration["prompt"],
        data,
        judges,
        file.declaration["budget_usd"],
    )
    salt = f"{file.anchored['at'][:19]} {day}"
    found = probe(project, asked, salt, 1)
    anchor, budget = file.anchored["study"], file.declaration["budget_usd"]
    judged = rejudge(project, judges, data, anchor, day, budget)
    with reserved(path):
        file = MonitorFile.read(path)
        if day in file.days:
            return file
        brought = Taken(
            day,
            {name: scores[0] for name, scores in found.scores.items()},
            found.answered_by,
            judged,
            thresholds(project),
        )
        try:
            file = taken(file, brought)
        except StudyError as error:
            raise StudyError(f"{error} {found.stopped}".strip()) from None
        file.write(path)
    return file


def _anchor(
    project: Project,
    declaration: Any,
    entry: SavedEntry,
    data: Dataset,
    judges: Sequence[Scorer],
    history: tuple[Any, ...],
) -> MonitorFile:
    prompt, env = declaration["prompt"], declaration["env"]
    name = f"{prompt}.{env}"
    budget, repeats = declaration["budget_usd"], int(declaration["repeats"])
    asked = Probing(name, entry, prompt, data, judges, budget)
    found = probe(project, asked, f"anchor {len(history) + 1} {utc()[:10]}", repeats)
    ids = project.store.identifiers([example.id for example in data])
    two = bool(declaration["two_sided"])
    try:
        series = tuple(
            series_of(judge, text_of(judge), found.scores[judge.name], ids, two) for judge in judges
        )
    except StudyError as error:
        raise StudyError(f"{error} {found.stopped}".strip()) from None
    declared = {
        **declaration,
        "version": entry.id,
        "number": entry.number,
        "model": entry.version.model,
    }
    anchored = {
        "at": utc(),
        "by": project.author,
        "study": found.study,
        "answered_by": list(found.answered_by),
    }
    return MonitorFile(declared, anchored, tuple(ids), series, (), (), history)


def _accepted(project: Project, old: MonitorFile, reason: str) -> dict[str, object]:
    return {
        "event": "accepted",
        "at": utc(),
        "by": project.author,
        "reason": reason_kept(reason),
        "number": old.declaration["number"],
        "days": len(old.days),
        "anchor_means": {s.scorer: round(sum(s.means) / len(s.means), 4) for s in old.series},
    }
