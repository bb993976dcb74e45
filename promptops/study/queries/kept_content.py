"""Questions about content by its id: the document of a version, the examples of a dataset."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...store import Store

__all__ = [
    "dataset_head",
    "example_count",
    "example_documents",
    "imported_documents",
    "version_document",
    "version_documents",
]


def version_document(store: Store, id: str) -> str | None:
    """The document of a version as JSON; None if the store has none."""
    rows = store.rows("select document from versions where id = ? limit 1", [id])
    return str(rows[0][0]) if rows else None


def version_documents(store: Store, ids: Sequence[str]) -> dict[str, str]:
    """id -> document as JSON of those versions that the store has."""
    rows = store.rows("select id, document from versions where id in (select unnest(?))", [ids])
    return {str(id_): document for id_, document in rows}


def dataset_head(store: Store, fingerprint: str) -> tuple[str, str | None] | None:
    """(name, origin as JSON) of a dataset; None if the store has none."""
    rows = store.rows(
        "select name, origin from datasets where dataset_fingerprint = ? limit 1", [fingerprint]
    )
    return (rows[0][0], rows[0][1]) if rows else None


def example_count(store: Store, fingerprint: str) -> int:
    """How many examples of a dataset are recorded, without those that were purged."""
    asked = "select count(*) from examples where dataset_fingerprint = ?"
    return int(store.rows(asked, [fingerprint])[0][0])


def example_documents(store: Store, fingerprint: str) -> list[tuple[str, str, int]]:
    """(document as JSON, fingerprint, position) of each example of a dataset, in its order."""
    return list(
        store.rows(
            "select document, example_fingerprint, position from examples where"
            " dataset_fingerprint = ? order by position",
            [fingerprint],
        )
    )


def imported_documents(store: Store, fingerprint: str) -> list[object]:
    """The documents of a dataset's examples, in its order, if answers to them were imported."""
    rows = store.rows(
        "select 1 from studies s join study_runs m on m.study_id = s.id join runs r"
        " on r.id = m.run_id where s.design ->> '$.dataset.fingerprint' = ?"
        " and r.role = 'imported' limit 1",
        [fingerprint],
    )
    return (
        [json.loads(text) for text, _, _ in example_documents(store, fingerprint)] if rows else []
    )
