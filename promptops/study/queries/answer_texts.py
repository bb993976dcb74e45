"""Questions about the texts that were answered, and about the golden answers of other rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...store import Store

__all__ = ["answers_of", "outputs_of", "tuned_answers"]

_ANSWERS = (
    "select m.example_id, r.output from study_runs m join runs r on r.id = m.run_id "
    "where m.study_id = ? and m.version_id = ? and (r.output is not null or r.failure is null)"
)
_OUTPUTS = (
    "select id, output from runs where id in (select unnest(?)) "
    "and (output is not null or failure is null)"
)
_TUNED = (
    "select distinct e.example_fingerprint, json_extract(e.document, '$.expected') "
    "from examples e join datasets d on d.dataset_fingerprint = e.dataset_fingerprint "
    "where d.name = ? "
    "and json_extract_string(e.document, '$.split') in ('train', 'val')"
)


def answers_of(store: Store, study: str, version: str) -> list[tuple[str, str | None]]:
    """(example id, output) of every answer of a version in a study."""
    return list(store.rows(_ANSWERS, [study, version]))


def outputs_of(store: Store, runs: Sequence[str]) -> dict[str, str | None]:
    """run -> its output, of those that are answers."""
    return dict(store.rows(_OUTPUTS, [list(runs)]))


def tuned_answers(store: Store, name: str) -> list[object]:
    """The golden answers of the train and val rows that datasets of a name hold, each row once."""
    return [json.loads(text) for _, text in store.rows(_TUNED, [name]) if text is not None]
