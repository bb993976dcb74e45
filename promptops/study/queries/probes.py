"""What a probe came to: each answer's score, and who says that it answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from .recorded_runs import ANSWERED, OUTCOMES

if TYPE_CHECKING:
    from ...store import Store

__all__ = ["ProbeScore", "probe_runs", "probe_scores"]

_LATEST = (
    "select m.example_id, m.repeat, arg_max(r.id, r.started_at) as run_id"
    " from study_runs m join runs r on r.id = m.run_id"
    f" where m.study_id = ? and {ANSWERED} group by all"
)


class ProbeScore(NamedTuple):
    """One answer under one scorer. outcome: passed as 0 or 1, else the value; None: unscored."""

    example: str
    repeat: int
    outcome: float | None
    model: str
    fingerprint: str


def probe_scores(store: Store, study: str, scorer: str, version: str) -> list[ProbeScore]:
    """The answered places of a study under one version of a scorer, by example and repeat."""
    rows = store.rows(
        f"with latest as ({_LATEST}) select l.example_id, l.repeat,"
        " any_value(coalesce(s.passed::double, s.value)),"
        " any_value(coalesce(r.model_returned, '')), any_value(coalesce(r.system_fingerprint, ''))"
        " from latest l join runs r on r.id = l.run_id"
        " left join scores s on s.run_id = l.run_id and s.scorer = ? and s.scorer_version = ?"
        " group by l.example_id, l.repeat order by l.example_id, l.repeat",
        [study, OUTCOMES, scorer, version],
    )
    return [ProbeScore(str(e), int(k), outcome, m, f) for e, k, outcome, m, f in rows]


def probe_runs(store: Store, study: str, repeat: int, examples: Sequence[str]) -> dict[str, str]:
    """example -> its answered run of one repeat of a study, of these examples."""
    rows = store.rows(
        f"with latest as ({_LATEST}) select example_id, run_id from latest"
        " where repeat = ? and example_id in (select unnest(?))",
        [study, OUTCOMES, repeat, list(examples)],
    )
    return {str(example): str(run) for example, run in rows}
