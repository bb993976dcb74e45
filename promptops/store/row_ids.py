"""Rows as they are recorded: the ids of examples without secrets, and as many as there were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..redact import Redactor
from .segment_records import encode, encode_columns

__all__ = ["encoded", "encoded_columns"]

_ID = "example_id"


def encoded(tables: Mapping[str, Sequence[Mapping[str, object]]], redactor: Redactor) -> bytes:
    """The records of rows of several tables; of none, nothing."""
    return b"".join(
        encode(table, _told_apart(rows, redactor), redactor.clean)
        for table, rows in tables.items()
        if rows
    )


def encoded_columns(table: str, columns: Mapping[str, object], redactor: Redactor) -> bytes:
    """The records of rows that are given column by column."""
    ids = columns.get(_ID)
    if isinstance(ids, list) and all(isinstance(id, str) for id in ids):
        columns = {**columns, _ID: redactor.identifiers(ids)}
    return encode_columns(table, columns, redactor.clean)


def _told_apart(
    rows: Sequence[Mapping[str, object]], redactor: Redactor
) -> Sequence[Mapping[str, object]]:
    if _ID not in rows[0]:
        return rows
    given = [row.get(_ID) for row in rows]
    ids = [each if isinstance(each, str) else "" for each in given]
    found = redactor.identifiers(ids)
    if found == ids:
        return rows
    return [
        row if new == old else {**row, _ID: new}
        for row, old, new in zip(rows, ids, found, strict=True)
    ]
