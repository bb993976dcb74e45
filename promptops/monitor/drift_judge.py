"""The anchor's answers judged again: without this a judge that drifts looks like a model that does.

The same stored answers are put to the judge each day, at the judge's cost only; nothing that was
judged before is taken for it, and no score of it is kept as a study's.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..analysis.e_values import e_value
from ..run import Run
from ..scorers.case import Case
from ..scoring.score_phase import ScorePhase
from ..study.ask import Asker
from ..study.queries.probes import probe_runs, probe_scores
from ..study.queries.recorded_runs import runs_of
from ..version import PromptVersion

if TYPE_CHECKING:
    from ..dataset import Dataset
    from ..scorers.case import Scorer
    from ..study.project import Project

__all__ = ["JUDGED_AGAIN", "rejudge"]

JUDGED_AGAIN = 50  # of the anchor's answers at most
_FRESH = 1_000_000  # repeats that no study reaches: a judge's question of another day is another


def rejudge(
    project: Project,
    scorers: Sequence[Scorer],
    dataset: Dataset,
    anchor: str,
    day: str,
    budget_usd: float | None = None,
) -> dict[str, tuple[float, float]]:
    """Judge the first of the anchor's answers again.

    Returns:
        scorer -> (by how much the mean changed, the evidence that it fell); only scorers that are
        judges, and only if at least five answers have both scores.
    """
    judges = [scorer for scorer in scorers if scorer.kind == "judge"]
    examples = {example.id: example for example in list(dataset)[:JUDGED_AGAIN]}
    linked = probe_runs(project.store, anchor, 0, list(examples)) if judges else {}
    if not linked:
        return {}
    runs = {run.id: run for part in runs_of(project.store, linked.values()) for run in part}
    cases = [
        Case(runs[run].output or "", examples[id], runs[run])
        for id, run in linked.items()
        if run in runs
    ]
    asker = Asker(project, project.limits(budget_usd=budget_usd))
    fresh = _FRESH + zlib.crc32(day.encode()) % _FRESH

    async def ask(version: PromptVersion, values: Mapping[str, object], repeat: int) -> Run:
        return await asker.ask(version, values, repeat + fresh)

    async def judged() -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, float]] = {judge.name: {} for judge in judges}
        async for case, scorer, score in ScorePhase(judges, ask=ask).score_async(cases):
            if score.outcome is not None and scorer.name in found:
                found[scorer.name][case.example.id] = score.outcome
        return found

    now = project.loop.finish(judged())
    return _changes(project, judges, anchor, now)


def _changes(
    project: Project,
    judges: Sequence[Scorer],
    anchor: str,
    now: Mapping[str, Mapping[str, float]],
) -> dict[str, tuple[float, float]]:
    out = {}
    for judge in judges:
        before = {
            row.example: row.outcome
            for row in probe_scores(project.store, anchor, judge.name, judge.version)
            if row.repeat == 0 and row.outcome is not None
        }
        fell = [before[id] - score for id, score in now[judge.name].items() if id in before]
        if len(fell) >= 5:
            out[judge.name] = (-sum(fell) / len(fell), float(e_value(fell)))
    return out
