"""Which models answered the arms of a study and which judged them, by the names and fingerprints
that came back.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .arm_rows import Source

if TYPE_CHECKING:
    from ...store import Store

__all__ = ["answerers_of", "judges_of"]

_LINKED = (
    "with arms as (select unnest(?) as study_id, unnest(?) as version_id, unnest(?)::int as place),"
    " linked as (select{distinct} a.place, m.run_id, m.example_fingerprint from study_runs m join"
    " arms a on m.study_id = a.study_id and m.version_id = a.version_id)"
)
_ANSWERS = (
    " select l.place, r.model, r.endpoint, r.model_returned, r.system_fingerprint, count(*),"
    " min(r.started_at), max(r.started_at) from linked l join runs r on r.id = l.run_id where"
    " r.model_returned is not null group by 1, 2, 3, 4, 5 order by min(r.started_at), 1, 4, 5"
)
_JUDGED = (
    " select l.place, s.scorer, s.scorer_version, s.judged_by, count(*), min(s.scored_at),"
    " max(s.scored_at) from linked l join scores s on s.run_id = l.run_id and s.example_fingerprint"
    " = l.example_fingerprint where s.judged_by is not null and s.value is not null group by 1, 2,"
    " 3, 4 order by min(s.scored_at), 1, 2, 4"
)


def answerers_of(store: Store, sources: Sequence[Source]) -> list[tuple[Any, ...]]:
    """(place of the arm, model asked for, endpoint, model returned, fingerprint or None, answers,
    first, last) of each pair of name and fingerprint, oldest first. An arm that has several sources
    has the place of the first, and each of its answers counts once.
    """
    return list(store.rows(_linked(sources) + _ANSWERS, _values(sources)))


def judges_of(store: Store, sources: Sequence[Source]) -> list[tuple[Any, ...]]:
    """(place of the arm, scorer, its version, model returned, fingerprint or None, scores, first,
    last) of each model that judged, oldest first; sources as in `answerers_of`.
    """
    rows = store.rows(_linked(sources) + _JUDGED, _values(sources))
    return [
        (place, scorer, version, *who, *rest)
        for place, scorer, version, judged_by, *rest in rows
        for who in json.loads(judged_by)
    ]


def _linked(sources: Sequence[Source]) -> str:
    several = len({label for _, _, label in sources}) < len(sources)
    return _LINKED.format(distinct=" distinct" if several else "")


def _values(sources: Sequence[Source]) -> list[object]:
    labels = [label for _, _, label in sources]
    return [
        [study for study, _, _ in sources],
        [version for _, version, _ in sources],
        [labels.index(label) for label in labels],
    ]
