"""Taking in a file that another store exported: all of it is sound before any of it is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import StoreError
from .export import new_rows, pieces_of
from .schema import TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Connection

__all__ = ["take_in"]

Row = Mapping[str, object]


def take_in(
    con: Connection,
    source: Path,
    oddity: Callable[[str, Row], str | None],
    append: Callable[[str, Sequence[Row]], None],
) -> dict[str, int]:
    """Append the rows of an export that a store does not have; table -> how many.

    con: sees all that the store has; oddity: why a row of a table is not taken in, None if it
    is. Raises StoreError, and appends nothing, as `Store.import_` does.
    """
    counts: dict[str, int] = {}
    for piece in pieces_of(source):
        for table, rows in new_rows(con, piece):
            _check(source, table, rows, oddity)
    for piece in pieces_of(source):
        for table, rows in new_rows(con, piece):
            append(table, [_named(row, source) for row in rows] if table == "runs" else rows)
            counts[table] = counts.get(table, 0) + len(rows)
    return counts


def _named(row: Row, source: Path) -> Row:
    """A run that says for good which file it came in with."""
    return {**row, "imported_from": row["imported_from"] or source.name}


def _check(
    source: Path, table: str, rows: Sequence[Row], oddity: Callable[[str, Row], str | None]
) -> None:
    for row in rows:
        fault = oddity(table, row)
        if fault is not None:
            named = " ".join(str(row[name])[:40] for name in TABLES[table].key)
            raise StoreError(
                f"{source} is not taken in: the row {named} of {table} is not one that a store"
                f" writes: {fault}; export it again where it was made."
            )
