"""Rows between stores: a file of the same checksummed lines that a segment has; taking it in twice
is taking it in once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import StoreError
from ..plain_file import NOT_A_FILE, is_odd, replacing
from ..spool.lines import meta_line
from ..spool.segment import Piece, Segment, read_pieces
from .arrow_rows import ArrowRows
from .schema import SCHEMA, TABLES
from .segment_records import encode

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Connection

__all__ = ["export_rows", "new_file", "new_rows", "pieces_of"]

_MANY = 5_000

_DATASET = "(SELECT design->>'$.dataset.fingerprint' FROM studies WHERE id = $study)"
_VERSIONS = "(SELECT version_id FROM study_runs WHERE study_id = $study)"
_BESIDE = "(SELECT unnest($beside::VARCHAR[]))"

# table -> which of its rows belong to the study $study
_OF_STUDY: Mapping[str, str] = {
    "studies": "id = $study",
    "study_runs": "study_id = $study",
    "study_events": "study_id = $study",
    "verdicts": "study_id = $study",
    "runs": "id IN (SELECT run_id FROM study_runs WHERE study_id = $study)",
    "attempts": "run_id IN (SELECT run_id FROM study_runs WHERE study_id = $study)",
    "scores": "run_id IN (SELECT run_id FROM study_runs WHERE study_id = $study)",
    "labels": "run_id IN (SELECT run_id FROM study_runs WHERE study_id = $study)",
    "versions": f"id IN {_VERSIONS} OR id IN {_BESIDE}",
    "datasets": f"dataset_fingerprint = {_DATASET}",
    "examples": (
        f"dataset_fingerprint = {_DATASET}"
        f" OR dataset_fingerprint || ' ' || example_fingerprint IN {_BESIDE}"
    ),
    "optimizations": f"id IN {_BESIDE}",
    "candidates": f"optimization_id || ' ' || version_id IN {_BESIDE}",
    "plans": "prompt = (SELECT prompt FROM studies WHERE id = $study)",
}


def export_rows(
    con: Connection,
    path: Path,
    study: str | None,
    clean: Callable[[bytes], bytes],
    beside: Mapping[str, Collection[str]] | None = None,
) -> dict[str, int]:
    """Write all rows, or those of one study, to `path`; returns table -> rows.

    beside: table -> keys of further rows that the study's verdict rests on.

    Raises StoreError for an unknown study.
    """
    if (
        study is not None
        and not con.execute("SELECT 1 FROM studies WHERE id = ?", [study]).fetchall()
    ):
        raise StoreError(
            f"there is no study {study} to export; list them with `select id, name from studies`."
        )
    counts: dict[str, int] = {}
    with new_file(path) as temporary, temporary.open("wb") as file:
        file.write(meta_line())
        for table in TABLES:
            for rows in _rows(con, table, study, (beside or {}).get(table, ())):
                file.write(encode(table, rows, clean))
                counts[table] = counts.get(table, 0) + len(rows)
        file.flush()
        os.fsync(file.fileno())
    return counts


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Where a file is written, to be put in the place of `path` once it is whole.

    Raises StoreError if it cannot be written: what was there stays.
    """
    try:
        odd = is_odd(path) or not path.name
    except ValueError:  # a zero byte
        odd = True
    if odd:
        raise StoreError(f"{path} cannot be written ({NOT_A_FILE}); give the path of a file.")
    try:
        with replacing(path) as temporary:
            yield Path(temporary)
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(
            f"{path} cannot be written ({error.strerror or error}); give the path of a file that"
            " you may write, in a folder that has room."
        ) from error


def _rows(
    con: Connection, table: str, study: str | None, beside: Collection[str]
) -> Iterator[list[dict[str, object]]]:
    if study is not None and table not in _OF_STUDY:
        return  # its rows belong to no study
    names = TABLES[table].names
    columns = ", ".join(f'"{name}"' for name in names)
    if study is None:
        con.execute(f"SELECT {columns} FROM {table}")
    else:
        asked = {"study": study, "beside": sorted(beside)}
        which = _OF_STUDY[table]
        # what a search's steps learned of its train examples belongs to the search
        columns = columns.replace('"feedback"', "NULL") if table == "candidates" else columns
        con.execute(
            f"SELECT {columns} FROM {table} WHERE {which}",
            {name: value for name, value in asked.items() if f"${name}" in which},
        )
    while rows := con.fetchmany(_MANY):
        yield [dict(zip(names, row, strict=True)) for row in rows]


def pieces_of(path: Path) -> Iterator[Piece]:
    """The records of an exported file.

    Raises StoreError if it is not an export, is damaged, or is newer than this release.
    """
    if not path.is_file():
        raise StoreError(f"{path} is not a file; give the path of one that export() wrote.")
    size = path.stat().st_size
    end = 0
    for piece in read_pieces(Segment(path.name, path, size), 0):
        if piece.scan.damage:
            raise StoreError(
                f"{path} is damaged at byte {piece.start + piece.scan.damage[0][0]:,}, or is not"
                " an export; export it again."
            )
        if (piece.scan.schema or 0) > SCHEMA:
            raise StoreError(
                f"{path} was exported by a newer release (schema {piece.scan.schema}); upgrade"
                " promptops-toolkit to take it in."
            )
        end = piece.end
        yield piece
    if end != size or not size:
        raise StoreError(
            f"{path} ends at byte {end:,} of {size:,} in the middle of a row, or is not an export;"
            " export it again."
        )


def new_rows(con: Connection, piece: Piece) -> Iterator[tuple[str, Sequence[Mapping[str, object]]]]:
    """(table, rows) of a piece whose keys the store does not have."""
    taken = ArrowRows()
    taken.add(piece)
    for table, rows in taken.tables():
        con.register("fresh", rows)
        same = " AND ".join(f'o."{name}" = f."{name}"' for name in TABLES[table].key)
        found = con.execute(
            f"SELECT * FROM fresh f WHERE NOT EXISTS (SELECT 1 FROM {table} o WHERE {same})"
        ).fetchall()
        con.unregister("fresh")
        if found:
            yield table, [dict(zip(TABLES[table].names, row, strict=True)) for row in found]
