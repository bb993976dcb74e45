"""Questions about answers as they are shown beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...store import Store

__all__ = ["first_answers"]


def first_answers(
    store: Store,
    study: str,
    versions: tuple[str, str],
    examples: Sequence[str],
    scorer: str,
    length: int,
) -> dict[tuple[str, str], tuple[str, str]]:
    """(version, example) -> the first `length` characters of its first repeat's answer, and the
    reason that a scorer gave.
    """
    rows = store.rows(
        "select m.version_id, m.example_id, any_value(left(r.output, ?)), any_value(s.reason) from"
        " study_runs m join runs r on r.id = m.run_id left join scores s on s.run_id = m.run_id and"
        " s.example_fingerprint = m.example_fingerprint and s.scorer = ? where m.study_id = ? and"
        " m.version_id in (?, ?) and m.example_id in (select unnest(?)) and m.repeat = 0 group by"
        " 1, 2",
        [length, scorer, study, *versions, list(examples)],
    )
    return {
        (version, example): (output or "", reason or "")
        for version, example, output, reason in rows
    }
