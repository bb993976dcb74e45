"""Questions about single scores: which there are of a scorer, and which runs have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...store.schema import TABLES

if TYPE_CHECKING:
    from ...store import Store

__all__ = ["outcomes_of", "scored_runs", "scores_in_study"]

_NAMES = TABLES["scores"].names
_ROWS = f"""select {", ".join(f"s.{name}" for name in _NAMES)} from scores s where
  s.scorer_version = $scorer_version and (s.scorer = $name or starts_with(s.scorer, $name || '/'))
  and exists (select 1 from study_runs m where m.study_id = $study and m.run_id = s.run_id)"""


def scores_in_study(
    store: Store, study: str, name: str, scorer_version: str
) -> list[dict[str, object]]:
    """The rows of one version of a scorer in a study, its parts ("name/part") as well."""
    asked = {"scorer_version": scorer_version, "name": name, "study": study}
    return [dict(zip(_NAMES, row, strict=True)) for row in store.rows(_ROWS, asked)]


def scored_runs(
    store: Store, runs: Sequence[str], scorer_versions: Sequence[str]
) -> list[tuple[str, str, str, str]]:
    """(run, example's fingerprint, scorer, its version) of the scores that these runs have."""
    return list(
        store.rows(
            "select s.run_id, s.example_fingerprint, s.scorer, s.scorer_version from scores s semi"
            " join (select unnest(?) as id) w on w.id = s.run_id where s.scorer_version in (select"
            " unnest(?))",
            [list(runs), list(scorer_versions)],
        )
    )


def outcomes_of(store: Store, scorer: str, begins: str) -> list[tuple[str, str, str, bool | None]]:
    """(scorer version, run id, fingerprint of the example, passed) of each score of a scorer whose
    version begins so.
    """
    rows = store.rows(
        "select scorer_version, run_id, example_fingerprint, passed from scores where scorer = ?"
        " and starts_with(scorer_version, ?)",
        [scorer, begins],
    )
    return list(rows)
