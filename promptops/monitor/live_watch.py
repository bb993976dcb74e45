"""Monitors of live quality: each complete day's sampled scores against the whole weeks before.

A monitor of this kind is a file as a probe's is, so that alarms, acknowledgements, the threshold
and the webhook are the same; its one "example" is the mean of live calls. A day counts once, from
its own calls, on whichever machine has them; a day that was missed is counted by the next run.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from ..analysis.drift import STAKES
from ..analysis.live_quality import (
    REFERENCE_DAYS,
    TOLERANCE,
    LiveDetector,
    Mix,
    Reference,
    by_conversation,
)
from ..analysis.live_quality import mix_shift as shifted
from ..errors import PromptOpsError, StudyError
from ..run import utc
from ..scorers.case import Scorer
from ..scorers.grammar import text_of
from ..study.ask import Asker
from .drift_alarm import (
    RECOVERED,
    alarm_ended,
    alarm_opened,
    all_ended,
    open_alarm,
    since,
    week,
)
from .drift_declared import declared_scorers, scorers_of
from .drift_file import (
    Day,
    MonitorFile,
    Series,
    live_path_of,
    path_of,
    reason_kept,
    reserved,
)
from .input_lengths import length_bounds, length_group
from .live_cause import cause_of_live
from .live_rows import rows_of
from .live_score import is_beyond, score_live
from .queries.live_judged import judged_calls
from .queries.live_listing import answered_by_day, kept_shares, sampled_calls
from .watch import Watched, counted_ahead, run_day, thresholds

if TYPE_CHECKING:
    from ..study.project import Project
    from .attribution import Cause

__all__ = ["accept_live", "declare_live", "run_any_day"]

_LEAST = 14  # days of a reference
_MOST_MISSED = 28  # days that one run catches up
EXAMPLE = "live calls"


@dataclass(frozen=True, slots=True)
class _DayOfCalls:
    """scores: by scorer, of each conversation; lengths: characters of the inputs that the first
    scorer judged; answered_by: the model and fingerprint that most calls name.
    """

    day: str
    scores: dict[str, list[float]]
    lengths: list[int]
    answered_by: tuple[str, str]


def declare_live(
    project: Project,
    prompt: str,
    scorers: Sequence[object],
    *,
    env: str,
    share: float = 0.05,
    budget_usd: float | None = None,
) -> Watched:
    """Watch the quality of live calls from today on, against the four weeks before, two at least.

    Args:
        project: whose store has the live calls.
        prompt: its name.
        scorers: as texts of the catalogue, so that the command line can run them.
        env: the environment.
        share: of the calls that is scored each day, chosen by hash.
        budget_usd: of judges, per run.

    Raises:
        StudyError: another declaration exists, or the days before have too few scored calls.
    """
    path, judges = live_path_of(project, prompt, env), scorers_of(scorers)
    declaration = {
        "kind": "live",
        "prompt": prompt,
        "env": env,
        "share": share,
        "budget_usd": budget_usd,
        "number": None,
    }
    if os.path.exists(path):
        file = MonitorFile.read(path)
        known = [(series.scorer, series.version) for series in file.series]
        if known != [(judge.name, judge.version) for judge in judges]:
            names = ", ".join(name for name, _ in known)
            raise StudyError(f"{file.name} is watched already, by {names}; remove its file first.")
        return Watched(path, file)
    with reserved(path):
        file = _referred(project, declaration, judges, utc()[:10], ())
        file.write(path)
    return Watched(path, file)


def accept_live(project: Project, prompt: str, env: str, reason: str) -> MonitorFile:
    """Take the last weeks for the new reference; open alarms end, and who accepted it is recorded.

    Raises:
        StudyError: no reason is given, or the days before have too few scored calls.
    """
    if not reason.strip():
        raise StudyError(
            "a new reference needs a reason; pass reason= with why the present quality is right."
        )
    path, kept = live_path_of(project, prompt, env), reason_kept(reason)
    with reserved(path):
        old = MonitorFile.read(path)
        entry = {"event": "accepted", "at": utc(), "by": project.author, "reason": kept}
        judges = declared_scorers(old, None)
        new = _referred(project, old.declaration, judges, utc()[:10], (*old.history, entry))
        why = f"a new reference was accepted: {kept}"
        new = replace(new, alarms=all_ended(old.alarms, utc()[:10], why))
        new.write(path)
    return new


def run_any_day(
    project: Project,
    path: str,
    day: str = "",
    scorers: Sequence[object] | None = None,
    dataset: object = None,
) -> Watched:
    """Run one monitor for a day, whichever kind it is; see `run_day`. Of live quality, all complete
    days up to the one before are counted.
    """
    try:
        file = MonitorFile.read(path)
    except PromptOpsError as error:
        return Watched(path, None, str(error))
    if not file.live:
        return run_day(project, path, day, scorers, dataset)
    try:
        with reserved(path):
            return _counted(project, path, day or utc()[:10], scorers)
    except PromptOpsError as error:
        return Watched(path, MonitorFile.read(path), str(error))


def _counted(project: Project, path: str, today: str, scorers: Sequence[object] | None) -> Watched:
    file = MonitorFile.read(path)
    judges = declared_scorers(file, scorers)
    last = file.days[-1] if file.days else _before(str(file.anchored["at"])[:10], 1)
    if last >= today and (ahead := counted_ahead(file, last)):
        raise StudyError(f"{file.name} has counted {last} already; {ahead}")
    pending = [_before(today, back) for back in range(_MOST_MISSED, 0, -1)]
    silent: list[str] = []
    missing = [each for each in pending if each > last]
    for found in _calls_of(project, file.declaration, judges, missing) if missing else ():
        if not all(found.scores.values()):
            silent.append(found.day)  # reported even if a later day counts
            continue
        file = _with_day(project, file, found)
        file.write(path)
    has = "has" if len(silent) == 1 else "have"
    why = f"{', '.join(silent)} {has} no scored live call; record with content." if silent else ""
    return Watched(path, file, why)


def _calls_of(
    project: Project,
    declaration: Mapping[str, Any],
    judges: Sequence[Scorer],
    days: Sequence[str],
) -> list[_DayOfCalls]:
    """What each day's calls scored; what was not scored yet of the share is scored now."""
    prompt, env = declaration["prompt"], declaration["env"]
    share, budget = declaration["share"], declaration["budget_usd"]
    asker = Asker(project, project.limits(budget_usd=budget))
    kept = _kept_of(project, declaration, days)
    for day in days:  # one by one, since a busy application's weeks do not fit into memory
        rows = rows_of(sampled_calls(project.store, prompt, env, day, share))
        score_live(project, rows, judges, share=share, asker=asker, shares=kept[day])
    period = days[0], days[-1]
    who: dict[str, tuple[str, str]] = {}
    for day, model, mark in answered_by_day(project.store, prompt, env, *period):
        who.setdefault(day, (model, mark))
    found = {day: _DayOfCalls(day, {}, [], who.get(day, ("", ""))) for day in days}
    for place, judge in enumerate(judges):
        scored: dict[str, list[tuple[str, float]]] = {day: [] for day in days}
        scorer = judge.name, judge.version
        judged = judged_calls(project.store, (prompt, env), period, scorer, share)
        for day, length, score, call in judged:
            if day in found and not is_beyond(call, kept[day]):
                scored[day].append((call["session"] or call["id"], score))
                if place == 0:
                    found[day].lengths.append(length)
        for day, listed in scored.items():
            found[day].scores[judge.name] = by_conversation(listed)
    return list(found.values())


def _kept_of(
    project: Project, declaration: Mapping[str, Any], days: Sequence[str]
) -> dict[str, dict[object, float]]:
    """Day -> service -> the share of its calls whose content was kept: as that day's own calls
    show it, else those of the last day before that do. A day's sample may hold failures alone.
    """
    whose = declaration["prompt"], declaration["env"]
    known = kept_shares(project.store, *whose, _before(days[0], _MOST_MISSED), days[-1])
    found: dict[str, dict[object, float]] = {day: {} for day in days}
    for day, shares in found.items():
        for at, service, share in known:
            if at <= day or service not in shares:
                shares[service] = share
    return found


def _referred(
    project: Project,
    declaration: Mapping[str, object],
    judges: Sequence[Scorer],
    today: str,
    history: tuple[Any, ...],
) -> MonitorFile:
    """The monitor with the whole weeks before today as its reference."""
    listed = [_before(today, back) for back in range(REFERENCE_DAYS, 0, -1)]
    days = _calls_of(project, declaration, judges, listed)
    whole = 0
    while whole < len(days) and all(days[-1 - whole].scores.values()):
        whole += 1
    whole -= whole % 7
    if whole < _LEAST:
        raise StudyError(
            f"{declaration['prompt']} in {declaration['env']} has scored live calls on each of the"
            f" last {whole} days, in whole weeks; a reference needs {_LEAST}: record with content,"
            " and a share that scores some calls each day."
        )
    days = days[-whole:]
    series = tuple(_series(judge, [day.scores[judge.name] for day in days]) for judge in judges)
    anchored = {
        "at": utc() if today == utc()[:10] else f"{today}T00:00:00",
        "by": project.author,
        "study": "",
        "answered_by": list(days[-1].answered_by),
        "days": [days[0].day, days[-1].day],
        "lengths": length_bounds([size for day in days for size in day.lengths]),
    }
    return MonitorFile(declaration, anchored, (EXAMPLE,), series, (), (), history)


def _series(judge: Scorer, days: Sequence[Sequence[float]]) -> Series:
    reference = Reference.of([(sum(scores), len(scores)) for scores in days])
    nothing = {"by_live": [0.0] * len(STAKES)}
    mean = (reference.mean,)
    of = judge.name, judge.version, judge.kind, text_of(judge)
    days_of = reference.spread, reference.weekdays
    return Series(*of, mean, mean, reference.luck, (nothing,), (), *days_of)


def _with_day(project: Project, file: MonitorFile, found: _DayOfCalls) -> MonitorFile:
    """The file with a day's evidence, and the alarms that it opens or ends."""
    names = list(file.answered_by)
    if found.answered_by not in names:
        names.append(found.answered_by)
    after_first = date.fromisoformat(found.day) - date.fromisoformat(file.anchored["days"][0])
    out = []
    for series in file.series:
        scores = found.scores[series.scorer]
        detector = LiveDetector(tuple(series.states[0]["by_live"]))
        known = Reference(series.means[0], series.luck, series.spread, series.weekdays)
        detector = detector.after(known.on(after_first.days), scores)
        mean = sum(sorted(scores)) / len(scores)
        place = names.index(found.answered_by)
        day = Day(found.day, mean, 0, detector.e, detector.step, place, scored=len(scores))
        states = ({"by_live": list(detector.states)},)
        out.append(replace(series, states=states, days=(*series.days, day)))
    file = replace(file, series=tuple(out), answered_by=tuple(names))
    for series in out:
        file = _alarmed(project, file, series)
    return file


def _alarmed(project: Project, file: MonitorFile, series: Series) -> MonitorFile:
    alarm, reference = open_alarm(file, series), series.means[0]
    if alarm is not None:
        mean = week(series, alarm)
        if mean is None or mean < reference - series.luck - TOLERANCE:
            return file
        why = f"the last {RECOVERED} days are as the reference again"
        return alarm_ended(file, series, alarm, why)
    threshold = thresholds(project)
    if series.days[-1].evidence < threshold:
        return file
    began = since(series)
    days = [day for day in series.days if day.day >= began]
    now = sum(day.total for day in days) / len(days)
    cause = _cause(project, file, series, began)
    return alarm_opened(file, series, threshold, cause, (reference, now))


def _cause(project: Project, file: MonitorFile, series: Series, since: str) -> Cause:
    prompt, env = file.declaration["prompt"], file.declaration["env"]
    try:
        probe: MonitorFile | None = MonitorFile.read(path_of(project, prompt, env))
    except PromptOpsError:
        probe = None
    judge = next(each for each in declared_scorers(file, None) if each.name == series.scorer)
    deployed = project.registry.history(prompt, env)
    return cause_of_live(since, probe, deployed, _mix(project, file, judge, since))


def _mix(project: Project, file: MonitorFile, judge: Scorer, since: str) -> Mix | None:
    """The lengths of the inputs before and since, with the quality within each."""
    bounds = file.anchored.get("lengths") or []
    first = file.anchored["days"][0]
    last = file.days[-1]
    before: dict[str, list[float]] = {}
    after: dict[str, list[float]] = {}
    whose = file.declaration["prompt"], file.declaration["env"]
    scorer = judge.name, judge.version
    share = file.declaration["share"]
    for day, length, score, _ in judged_calls(project.store, whose, (first, last), scorer, share):
        into = after if day >= since else before
        into.setdefault(length_group(length, bounds), []).append(score)
    return shifted(before, after) if before and after and bounds else None


def _before(day: str, back: int) -> str:
    return (date.fromisoformat(day) - timedelta(days=back)).isoformat()
