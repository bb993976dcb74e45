"""Questions about recorded answers and what their scorers made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...store.read import checked_limit
from .recorded_runs import OUTCOMES

if TYPE_CHECKING:
    from pandas import DataFrame

    from ...store import Store

__all__ = [
    "cells_of",
    "first_two_answers",
    "repeated_outcomes",
    "runs_frame",
    "scores_frame",
    "unscored_of",
]

_OWN = "(select unnest(?) as name, unnest(?) as scorer_version) own"
_JOINED = (
    "from study_runs m join scores s "
    "on s.run_id = m.run_id and s.example_fingerprint = m.example_fingerprint "
)
_FIRST_TWO = (
    "select s.scorer, m.example_id, m.repeat, "
    "any_value(case when s.passed is null then s.value else s.passed::double end), "
    f"any_value(s.scorer_version) {_JOINED}"
    f"join {_OWN} on s.scorer = own.name and s.scorer_version = own.scorer_version "
    "where m.study_id = ? and m.version_id = ? and m.repeat < 2 group by all order by all"
)
# of a place that was asked again after a failure, the run that counts
_COUNTS = (
    "from study_runs m join runs r on r.id = m.run_id where m.study_id = ? qualify row_number() "
    "over (partition by m.arm, m.version_id, m.example_id, m.repeat order by (r.failure is null "
    "or list_contains(?, r.failure)) desc, r.imported_from is null desc, r.started_at desc) = 1 "
)
_RUNS = (
    f"select m.arm, m.example_id, m.repeat, m.reused, r.* exclude (example_id, repeat) {_COUNTS}"
    "order by m.example_id, m.arm, m.repeat limit ?"
)
_SCORES = (
    f"select m.arm, m.example_id, m.repeat, s.* exclude (example_fingerprint) {_JOINED}"
    f"join {_OWN} on s.scorer_version = own.scorer_version "
    "and (s.scorer = own.name or starts_with(s.scorer, own.name || '/')) "
    "where m.study_id = ? order by m.example_id, m.arm, m.repeat, s.scorer limit ?"
)

_UNSCORED = (
    f"select s.scorer, s.unscored, count(*) {_JOINED}"
    f"join {_OWN} on s.scorer = own.name and s.scorer_version = own.scorer_version "
    "where m.study_id = ? and s.unscored is not null group by all order by 3 desc, 1, 2"
)

# Every answer of a version on a dataset once, whichever studies it belongs to.
_REPEATED = (
    "select example_id, avg(outcome), count(outcome), var_samp(outcome) from (select distinct "
    "m.example_id, m.run_id, case when s.passed is null then s.value else s.passed::double end "
    f"as outcome {_JOINED}join studies d on d.id = m.study_id where m.version_id = ? and "
    "s.scorer = ? and s.scorer_version = ? and case when json_valid(d.design) then "
    "d.design->>'$.dataset.fingerprint' end = ?) where outcome is not null group by all order by 1"
)

Scorers = Sequence[tuple[str, str]]  # name and version of each


def first_two_answers(
    store: Store, study: str, version: str, scorers: Scorers
) -> list[tuple[str, str, int, float | None, str]]:
    """(scorer, example, repeat, outcome, scorer's version) of the first two repeats of a
    version.
    """
    names, scorer_versions = (
        [name for name, _ in scorers],
        [scorer_version for _, scorer_version in scorers],
    )
    return list(store.rows(_FIRST_TWO, [names, scorer_versions, study, version]))


def repeated_outcomes(
    store: Store, version: str, scorer: tuple[str, str], dataset: str
) -> list[tuple[str, float, int, float | None]]:
    """(example, mean, count, variance) of all answers of a version on a dataset that were scored.

    Args:
        store: the store.
        version: its id.
        scorer: name and version of the scorer.
        dataset: its fingerprint.
    """
    return list(store.rows(_REPEATED, [version, *scorer, dataset]))


def unscored_of(store: Store, study: str, scorers: Scorers) -> list[tuple[str, str, int]]:
    """(scorer, why there is no value, answers) of the answers that the study's own scorers could
    not score, the most frequent first.
    """
    names, scorer_versions = [name for name, _ in scorers], [number for _, number in scorers]
    return list(store.rows(_UNSCORED, [names, scorer_versions, study]))


def cells_of(store: Store, study: str) -> list[tuple[str, str, int, str]]:
    """(arm, example, repeat, run) of every cell of a study, by example, arm and repeat."""
    return store.rows(
        f"select m.arm, m.example_id, m.repeat, m.run_id {_COUNTS}"
        "order by m.example_id, m.arm, m.repeat",
        [study, OUTCOMES],
    )


def runs_frame(store: Store, study: str, limit: int) -> DataFrame:
    """One row per cell of a study (arm, example, repeat) with its run; at most `limit` rows."""
    return store.frame(_RUNS, [study, OUTCOMES, checked_limit(limit)])


def scores_frame(store: Store, study: str, scorers: Scorers, limit: int) -> DataFrame:
    """One row per judgement by the study's own scorers; at most `limit` rows."""
    values: list[Any] = [
        [name for name, _ in scorers],
        [scorer_version for _, scorer_version in scorers],
    ]
    return store.frame(_SCORES, [*values, study, checked_limit(limit)])
