"""What the store's scorers say of live calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...store import Store

__all__ = ["live_scores"]


def live_scores(store: Store, calls: Sequence[str]) -> list[tuple[str, str, float]]:
    """(call, scorer, outcome) of the calls that were scored, each scorer in the version that judged
    them last; passed counts as 1, failed as 0.
    """
    if not calls or not store.has("scores"):
        return []
    rows = store.rows(
        "select run_id, scorer, coalesce(passed::double, value) from scores"
        " where run_id in (select unnest(?)) and coalesce(passed::double, value) is not null"
        " qualify scorer_version is not distinct from coalesce("
        "arg_max(scorer_version, scored_at) over (partition by scorer), scorer_version)",
        [list(calls)],
    )
    return [(str(run), str(scorer), float(value)) for run, scorer, value in rows]
