"""Questions about which versions were answered before, by which runs, and how those were scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...run import Run
from ...score import Score
from .recorded_runs import OUTCOMES, reusable, runs_where

if TYPE_CHECKING:
    from ...store import Store

__all__ = ["Answers", "answered_versions", "answers_of"]


@dataclass(frozen=True, slots=True)
class Answers:
    """runs: the latest answered run of each key; scores: (run's id, example's fingerprint) -> the
    scores by the name that they are recorded under.
    """

    runs: Sequence[Run]
    scores: Mapping[tuple[str, str], Mapping[str, Score]]


def answered_versions(store: Store) -> frozenset[str]:
    """Ids of the versions that have any run."""
    if not store.has("runs"):
        return frozenset()
    rows = store.rows("select distinct version_id from runs")
    return frozenset(id_ for (id_,) in rows)


def answers_of(store: Store, versions: Sequence[str], scorers: Sequence[str]) -> Answers:
    """What is recorded of these versions, judged by scorers of these versions."""
    latest = (
        "r.version_id in (select unnest(?)) and "
        f"{reusable(store)}"
        " qualify row_number() over (partition by r.key order by r.started_at desc) = 1"
    )
    runs = runs_where(store, latest, [list(versions), OUTCOMES])
    rows = store.rows(
        "select s.run_id, s.example_fingerprint, s.scorer, s.value, s.passed, s.raw_value, s.unit,"
        " s.reason, s.unscored, s.category from scores s semi join (select unnest(?) as id) w on"
        " w.id = s.run_id where s.scorer_version in (select unnest(?))",
        [[run.id for run in runs], list(scorers)],
        fresh=False,
    )
    scores: dict[tuple[str, str], dict[str, Score]] = {}
    for run, example, scorer, value, passed, raw, unit, reason, unscored, category in rows:
        score = Score(value, passed, raw, unit or "", reason or "", unscored, category)
        scores.setdefault((run, example), {})[scorer] = score
    return Answers(runs, scores)
