"""Rows of segments in a temporary table of DuckDB, read by its own JSON reader: to import pyarrow,
and numpy with it, takes longer than all that a study recorded.

DuckDB reads leniently ("5" is a number to it, and what does not fit is null), so only rows in
exactly the form in which `segment_records` writes them are read by it, which a regular expression
decides. Of all others only Arrow says which rows are wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .columns import Kind
from .packs import Pack, Part, Row
from .schema import TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Connection


__all__ = ["stage", "unstage"]

_READ_AS: Mapping[Kind, str] = {
    "text": "VARCHAR",
    "json": "VARCHAR",
    "int": "BIGINT",
    "float": "DOUBLE",
    "bool": "BOOLEAN",
    "time": "VARCHAR",  # cast later: read as a time, an invalid one would be null
}
_TEXT = r'"(?:[^"\\]|\\.)*"'
_MOMENT = r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d\.\d{6}"  # never 24:00
_WRITTEN: Mapping[Kind, str] = {
    "text": _TEXT,
    "json": _TEXT,
    "int": r"-?\d{1,18}",  # no larger one can fail to fit
    "float": r"-?\d{1,20}(?:\.\d+)?(?:e[+-]?\d{1,2})?",
    "bool": r"(?:true|false)",
    "time": f'"{_MOMENT}"',
}


def stage(con: Connection, name: str, part: Part) -> bool:
    """Make the temporary table `name` of the rows, in order. False, and nothing is made, if one is
    not in the form in which rows are written today.
    """
    if part.packs:
        return _stage_packs(con, name, part.table, part.packs)
    return _stage_documents(con, name, part)


def unstage(con: Connection, name: str) -> None:
    """Drop a table that was made here."""
    con.execute(f"DROP TABLE IF EXISTS temp.{name}")


def _stage_documents(con: Connection, name: str, part: Part) -> bool:
    columns = TABLES[part.table].columns
    form = json.dumps({column.name: _READ_AS[column.kind] for column in columns})
    picked = ", ".join(
        _picked(column.kind, f'r."{column.name}"', column.name) for column in columns
    )
    # to look at every character takes longer than to read them
    written = "" if part.ours else f" WHERE {_or_error('regexp_full_match(d, $form)', 'true')}"
    return _made(
        con,
        f"CREATE TEMP TABLE {name} AS SELECT {picked} FROM (SELECT from_json(d, '{form}') r FROM"
        f" (SELECT unnest($documents) d){written})",
        part.documents,
        {} if part.ours else {"form": _row_pattern(part.table)},
    )


def _stage_packs(con: Connection, name: str, table: str, packs: Sequence[Pack]) -> bool:
    """Of regular packs of one shape."""
    shape, kinds = packs[0].shape, {column.name: column.kind for column in TABLES[table].columns}
    if not (packs[0].regular and shape.keys() >= set(TABLES[table].key)):
        return False
    held = [column for column in kinds if column in shape]
    types = {
        column: [_READ_AS[kinds[column]]] if shape[column] else _READ_AS[kinds[column]]
        for column in held
    }
    taken = ", ".join(
        f'unnest(c."{column}") AS "{column}"' if shape[column] else f'c."{column}"'
        for column in held
    )
    picked = ", ".join(
        _picked(kind, f'"{column}"' if column in shape else "NULL", column)
        for column, kind in kinds.items()
    )
    return _made(
        con,
        f"CREATE TEMP TABLE {name} AS SELECT {picked} FROM (SELECT {taken} FROM (SELECT"
        f" from_json_strict(d, '{json.dumps({'columns': types})}').columns c FROM (SELECT"
        " unnest($documents) d)))",
        [pack.document for pack in packs],
        {},
    )


def _row_pattern(table: str) -> str:
    """The rows of a table as `encode` writes them: columns in their order, without those that are
    null. The JSON reader finds the commas.
    """
    key = TABLES[table].key
    fields = (
        (f',?"{column.name}":{_WRITTEN[column.kind]}', column.name in key)
        for column in TABLES[table].columns
    )
    return r"\{" + "".join(text if needed else f"(?:{text})?" for text, needed in fields) + r"\}"


def _picked(kind: Kind, value: str, name: str) -> str:
    if kind != "time" or value == "NULL":
        return f'{value} AS "{name}"'
    sure = f"{value} IS NULL OR regexp_full_match({value}, '{_MOMENT}')"
    return f'CAST({_or_error(sure, value)} AS TIMESTAMP) AS "{name}"'


def _or_error(condition: str, value: str) -> str:
    return f"CASE WHEN {condition} THEN {value} ELSE error('odd') END"


def _made(
    con: Connection, statement: str, documents: Sequence[Row], more: Mapping[str, object]
) -> bool:
    import duckdb

    try:
        texts = [str(document, "utf-8") for document in documents]
        con.execute(statement, {"documents": texts, **more})
    except (duckdb.Error, UnicodeDecodeError):
        return False
    return True
