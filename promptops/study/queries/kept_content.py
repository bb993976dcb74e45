"""Questions about content by its id: the document of a version, the examples of a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...store import Store

__all__ = ["dataset_head", "example_documents", "version_document"]


def version_document(store: Store, id: str) -> str | None:
    """The document of a version as JSON; None if the store has none."""
    rows = store.rows("select document from versions where id = ? limit 1", [id])
    return str(rows[0][0]) if rows else None


def dataset_head(store: Store, fingerprint: str) -> tuple[str, str | None] | None:
    """(name, origin as JSON) of a dataset; None if the store has none."""
    rows = store.rows(
        "select name, origin from datasets where dataset_fingerprint = ? limit 1", [fingerprint]
    )
    return (rows[0][0], rows[0][1]) if rows else None


def example_documents(store: Store, fingerprint: str) -> list[tuple[str, str, int]]:
    """(document as JSON, fingerprint, position) of each example of a dataset, in its order."""
    return list(
        store.rows(
            "select document, example_fingerprint, position from examples where"
            " dataset_fingerprint = ? order by position",
            [fingerprint],
        )
    )
