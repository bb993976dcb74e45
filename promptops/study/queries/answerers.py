"""Which models answered the arms of a study, by the names and fingerprints that came back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .arm_rows import Source

if TYPE_CHECKING:
    from ...store import Store

__all__ = ["answerers_of"]

_ARMS = (
    "with arms as (select unnest(?) as study_id, unnest(?) as version_id, unnest(?)::int as place)"
)
_ROWS = (
    f"{_ARMS} select a.place, r.model, r.endpoint, r.model_returned, r.system_fingerprint,"
    " count(*), min(r.started_at), max(r.started_at) from study_runs m join arms a on"
    " m.study_id = a.study_id and m.version_id = a.version_id join runs r on r.id = m.run_id"
    " where r.model_returned is not null group by 1, 2, 3, 4, 5"
    " order by min(r.started_at), 1, 4, 5"
)


def answerers_of(store: Store, sources: Sequence[Source]) -> list[tuple[Any, ...]]:
    """(place of the arm, model asked for, endpoint, model returned, fingerprint or None, answers,
    first, last) of each pair of name and fingerprint, oldest first.
    """
    return list(store.rows(_ROWS, _values(sources)))


def _values(sources: Sequence[Source]) -> list[Any]:
    return [
        [study for study, _, _ in sources],
        [version for _, version, _ in sources],
        list(range(len(sources))),
    ]
