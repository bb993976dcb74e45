"""Questions about what people labelled, and about the answers that a label is of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...store import Store

__all__ = ["answers_shown", "examples_by_run", "known_labels", "labelled_places"]


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


def labelled_places(store: Store, study: str, rater: str, kind: str) -> list[tuple[str, str]]:
    """(example, version) of what a rater has labelled in a study. kind: as far as its colon."""
    return list(
        store.rows(
            "select distinct l.example_id, m.version_id from labels l join study_runs m on m.run_id"
            " = l.run_id and m.study_id = ? where l.rater = ? and split_part(l.kind, ':', 1) = ?",
            [study, rater, kind],
        )
    )
