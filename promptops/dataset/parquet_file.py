"""A dataset as a Parquet file that reads back equal: columns of one plain type stay native, so that
every other tool reads them; mixed and nested ones are JSON text, which the file's metadata names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import DatasetError, MissingExtra
from .example import RESERVED, Example

__all__ = ["own_rows", "write_parquet"]

_KEY = b"promptops"
_FORM = "dataset-1"
_ABSENT = object()


def write_parquet(examples: Sequence[Example], columns: Sequence[str], path: Path) -> None:
    """Write a .parquet file. Raises MissingExtra without pyarrow."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MissingExtra("writing Parquet") from None
    arrays, as_json = {}, []
    for name in columns:
        cells = [_cell(example, name) for example in examples]
        kind = _kind(cells)
        if kind is None:
            as_json.append(name)
            texts = [None if c is _ABSENT else json.dumps(c, ensure_ascii=False) for c in cells]
            arrays[name] = pyarrow.array(texts, pyarrow.string())
        else:
            arrays[name] = pyarrow.array(cells, getattr(pyarrow, kind)())
    inputs = [name for name in columns if name not in RESERVED]
    facts = json.dumps({"form": _FORM, "inputs": inputs, "json": as_json})
    table = pyarrow.table(arrays).replace_schema_metadata({_KEY: facts.encode()})
    parquet.write_table(table, path)


def _cell(example: Example, column: str) -> object:
    if column not in RESERVED:
        return example.inputs.get(column, _ABSENT)
    value = getattr(example, column)
    if value is None or value == ():
        return _ABSENT
    return list(value) if isinstance(value, tuple) else value


def _kind(cells: Sequence[object]) -> str | None:
    """The Arrow type of a column without gaps and of one plain type; None for any other."""
    kinds = {type(cell) for cell in cells}
    names = {str: "string", int: "int64", float: "float64", bool: "bool_"}
    return names.get(kinds.pop()) if len(kinds) == 1 else None


def own_rows(
    metadata: Mapping[bytes, bytes] | None, rows: Iterable[dict[str, object]], name: str
) -> Iterator[dict[str, object]] | None:
    """The rows of a file that `write_parquet` wrote, as it was given them; None for another file.

    Raises DatasetError if the metadata is damaged.
    """
    facts = (metadata or {}).get(_KEY)
    if facts is None:
        return None
    try:
        read = json.loads(facts)
        inputs, as_json = list(map(str, read["inputs"])), frozenset(map(str, read["json"]))
    except (ValueError, KeyError, TypeError):
        raise DatasetError(
            f"{name} has damaged metadata of a dataset; write it again, or as JSONL."
        ) from None
    return _restored(rows, inputs, as_json, name)


def _restored(
    rows: Iterable[dict[str, Any]], inputs: Sequence[str], as_json: frozenset[str], name: str
) -> Iterator[dict[str, object]]:
    for number, row in enumerate(rows):
        found: dict[str, Any] = {}
        for column, value in row.items():
            if column in as_json:
                if value is None:
                    continue
                try:
                    value = json.loads(value)
                except (ValueError, TypeError):
                    raise DatasetError(
                        f"{name}: row {number} holds no JSON in the column {column!r}."
                    ) from None
            found[column] = value
        given = {column: found.pop(column) for column in inputs if column in found}
        yield {"inputs": given, **found}
