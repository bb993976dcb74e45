"""Questions about what people labelled, and about the answers that a label is of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame

    from ...store import Store

__all__ = [
    "answers_shown",
    "examples_by_run",
    "known_labels",
    "labelled_places",
    "labels_frame",
    "last_given",
    "people_means",
    "values_given",
]

_LABELS = """select l.example_id, l.rater, split_part(l.kind, ':', 1) as kind, l.label, l.value,
  l.note, l.run_id, l.labelled_at, l.id
  from labels l where l.run_id in (select run_id from study_runs where study_id = ?) order by
    l.labelled_at, l.id"""
# the latest label of each rater of each answer, averaged over raters and repeats
_HUMAN = """with latest as (
  select m.example_id, m.version_id, l.run_id, l.rater, arg_max(l.value, (l.labelled_at, l.id))
    as value
  from labels l join study_runs m on m.run_id = l.run_id
  where m.study_id = ? and m.version_id in (?, ?) and split_part(l.kind, ':', 1) in ('rubric',
    'pass', 'score') and l.value between 0 and 1
  group by all)
select version_id, example_id, avg(value) from latest group by all order by all"""


def known_labels(store: Store, ids: Sequence[str]) -> set[str]:
    """Those of these ids of labels that are recorded already."""
    rows = store.rows("select id from labels where id in (select unnest(?))", [list(ids)])
    return {str(row[0]) for row in rows}


def examples_by_run(store: Store, study: str) -> dict[str, str]:
    """run -> the example that it answers, of all runs of a study."""
    return dict(store.rows("select run_id, example_id from study_runs where study_id = ?", [study]))


def answers_shown(store: Store, study: str) -> dict[tuple[str, str], str]:
    """(version, example) -> the run that a report of the study shows; empty for a study that the
    store does not hold.
    """
    rows = store.rows(
        "select version_id, example_id, any_value(run_id) from study_runs where study_id = ? and"
        " repeat = 0 group by 1, 2",
        [study],
    )
    return {(version, example): run for version, example, run in rows}


def labelled_places(
    store: Store, study: str, rater: str, kind: str
) -> list[tuple[str, str, str | None]]:
    """(example, version, the version beside it in a pair) of what a rater has labelled in a study.
    kind: as far as its colon.
    """
    return list(
        store.rows(
            "select distinct l.example_id, m.version_id, o.version_id from labels l"
            " join study_runs m on m.run_id = l.run_id and m.study_id = ?"
            " left join study_runs o on o.run_id = split_part(l.kind, ':', 2)"
            " and o.study_id = m.study_id where l.rater = ? and split_part(l.kind, ':', 1) = ?",
            [study, rater, kind],
        )
    )


def last_given(store: Store, study: str, rater: str, kind: str) -> dict[str, tuple[str, float]]:
    """run -> (id, value) of the last label of a kind that a rater gave it, of a study's runs."""
    rows = store.rows(
        "select run_id, arg_max({id: id, value: value}, (labelled_at, id)) from labels where"
        " run_id in (select run_id from study_runs where study_id = ?) and rater = ? and kind = ?"
        " group by 1",
        [study, rater, kind],
    )
    return {run: (found["id"], found["value"]) for run, found in rows}


def values_given(store: Store, study: str, kind: str) -> list[tuple[str, str, str, float]]:
    """(rater, run, the run beside it in a pair or "", value) of each label of a kind, oldest
    first.
    """
    return list(
        store.rows(
            "select rater, run_id, split_part(kind, ':', 2), value from labels where run_id in"
            " (select run_id from study_runs where study_id = ?) and split_part(kind, ':', 1) = ?"
            " order by labelled_at, id",
            [study, kind],
        )
    )


def labels_frame(store: Store, study: str) -> DataFrame:
    """One row per label of a study's runs, oldest first: example_id, rater, kind, label, value,
    note, run_id, labelled_at, id.
    """
    return store.frame(_LABELS, [study])


def people_means(store: Store, study: str, versions: Sequence[str]) -> dict[str, dict[str, float]]:
    """version -> example -> the mean of what people gave its answers, 0 to 1, each rater's last
    word. versions: two.
    """
    found: dict[str, dict[str, float]] = {}
    for version, example, value in store.rows(_HUMAN, [study, *versions]):
        found.setdefault(version, {})[example] = float(value)
    return found
