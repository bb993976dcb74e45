"""Which models answered a study, by the names and fingerprints that came back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...store import Store

__all__ = ["answerers_of"]

_ROWS = (
    "select m.arm, r.model, r.model_returned, r.system_fingerprint, count(*),"
    " min(r.started_at), max(r.started_at) from study_runs m join runs r on r.id = m.run_id"
    " where m.study_id = ? and r.model_returned is not null group by 1, 2, 3, 4"
    " order by 1, min(r.started_at), 3, 4"
)


def answerers_of(store: Store, study: str) -> list[tuple[Any, ...]]:
    """(arm, model asked for, model returned, fingerprint or None, answers, first, last) of each
    pair of name and fingerprint, oldest first.
    """
    return list(store.rows(_ROWS, [study]))
