"""Questions about the rows of recorded studies that ask one question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...store import Store

__all__ = ["outcomes_in_study", "rows_in_studies"]

_ROWS = """
select study_id, example_fingerprint, count(distinct example_id) from study_runs
where study_id in (select unnest(?)) and version_id in (select unnest(?)) group by 1, 2
"""
_OUTCOMES = """
select count(distinct m.example_id), count(distinct (m.run_id,
    case when s.passed is null then s.value else s.passed::double end)), count(distinct m.run_id)
from study_runs m left join scores s on s.run_id = m.run_id
  and s.example_fingerprint = m.example_fingerprint and s.scorer = ? and s.scorer_version = ?
where m.study_id = ? and m.version_id = ?
"""


def rows_in_studies(
    store: Store, studies: Sequence[str], versions: Sequence[str]
) -> list[tuple[str, str, int]]:
    """(study, fingerprint, rows that hold it) of the examples that studies asked some versions."""
    return list(store.rows(_ROWS, [list(studies), list(versions)]))


def outcomes_in_study(
    store: Store, study: str, version: str, scorer: tuple[str, str]
) -> tuple[int, int, int]:
    """How many rows, different outcomes of an answer, and answers a version has in a study. scorer:
    name and version.
    """
    [(rows, outcomes, runs)] = store.rows(_OUTCOMES, [*scorer, study, version])
    return int(rows), int(outcomes), int(runs)
