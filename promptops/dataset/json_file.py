"""JSONL and JSON files as rows, each with the line on which it begins.

A JSONL file is read line by line and never held as one text. A file whose content is the other of
the two forms is read as what it is, and that is reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from ..errors import DatasetError
from ..markup import shorten
from . import strict
from .encoding import lines_of, sniff
from .held import File
from .rows import Form, Row, Source, in_file

__all__ = ["items_of", "open_json"]

_HOLDERS = ("examples", "data", "rows", "items", "instances")
_SPACE = " \t\r\n"


def open_json(path: File) -> Source:
    """Rows of a .jsonl, .ndjson or .json file. Raises DatasetError naming file, line and fault."""
    encoding, notes = sniff(path, must_be_utf8=True)
    listed = _is_one_value(path, encoding)
    lines = path.suffix.lower() != ".json"
    if listed and lines:
        notes.append(f"{path.name} is one JSON value, not a line per row, and was read as such.")
    elif not listed and not lines:
        notes.append(f"{path.name} holds a JSON object per line, and was read as JSONL.")
    rows = _items(path, encoding, notes) if listed else _lines(path, encoding)
    form = Form("list" if listed else "lines", encoding)
    return Source(path.stem, rows, in_file(path.name), notes=notes, form=form)


def _is_one_value(path: File, encoding: str) -> bool:
    """Whether the file is one JSON value: it begins with a list, or its first line is not an object
    by itself.
    """
    first = next((line for _, line in lines_of(path, encoding) if line.strip(_SPACE)), "").strip(
        _SPACE
    )
    if first.startswith("[") or path.suffix.lower() != ".json":
        return first.startswith("[")
    try:
        value = strict.parse(first)
    except ValueError:
        return True
    return not isinstance(value, dict) or any(
        isinstance(value.get(holder), list) for holder in _HOLDERS
    )


def _lines(path: File, encoding: str) -> Iterator[Row]:
    first: Row | None = None
    for number, line in lines_of(path, encoding):
        if line.strip(_SPACE):
            row = _object(partial(strict.parse, line), path, number)
            if number == 1 and _is_frame(row):
                first = number, row  # not one if another row follows
                continue
            if first is not None:
                yield first
                first = None
            yield number, row
    if first is not None:
        raise DatasetError(
            f"{path.name} holds one object with the keys {shorten(', '.join(first[1]), 60)}, which"
            " is a whole table as pandas' to_json() writes it; write it with"
            ' to_json(orient="records"), or put the object in a list if it is one example.'
        )


def _is_frame(row: dict[str, object]) -> bool:
    """Whether an object is a table by columns, by rows, or in parts, rather than an example."""
    if row.keys() >= {"columns", "data"} or row.keys() == {"schema", "data"}:
        return isinstance(row["data"], list)
    cells = [set(value) for value in row.values() if isinstance(value, dict)]
    if not row or len(cells) < len(row) or not all(one and one == cells[0] for one in cells):
        return False
    numbered = all(name.isdecimal() for name in cells[0]) or all(map(str.isdecimal, row))
    return numbered or (len(row) > 1 < len(cells[0]) and "inputs" not in row)


def _items(path: File, encoding: str, notes: list[str]) -> Iterator[Row]:
    """The objects of a list, one after the other, so that each knows its line."""
    text = "".join(line for _, line in lines_of(path, encoding))
    for line, _, value in items_of(text, path, notes):
        yield line, value


def items_of(
    text: str, path: File, notes: list[str]
) -> Iterator[tuple[int, int, dict[str, object]]]:
    """(line, place in the text, object) of every item.

    Raises DatasetError naming line and fault.
    """
    position = _list_start(text, path, notes)
    line, seen = 1, 0
    while True:
        position = _skip(text, position)
        if text[position : position + 1] == "]":
            return
        line += text.count("\n", seen, position)
        seen = position
        end = 0

        def one(begin: int = position) -> Any:
            nonlocal end
            value, end = strict.item(text, begin)
            return value

        yield line, position, _object(one, path, line)
        position = _skip(text, end)
        mark = text[position : position + 1]
        if mark not in (",", "]"):
            raise DatasetError(
                f"{path.name}:{line + text.count(chr(10), seen, position)}: a comma or the list's"
                " end was expected; fix the file there."
            )
        position += mark == ","


def _list_start(text: str, path: File, notes: list[str]) -> int:
    """Where the first item may begin: after `[`, or after the `[` of the one list that a top object
    holds.
    """
    start = _skip(text, 0)
    if text[start : start + 1] == "[":
        return start + 1
    try:
        value = strict.parse(text)
    except ValueError as error:
        raise DatasetError(f"{path.name}: {error}; expected a JSON list of objects.") from None
    holders = [
        name for name in _HOLDERS if isinstance(value, dict) and isinstance(value.get(name), list)
    ]
    if len(holders) != 1:
        raise DatasetError(
            f"{path.name} holds one {_kind(value)}; expected a list of objects, one per example."
        )
    notes.append(f"the rows of {path.name} were found under its key {holders[0]!r}.")
    position = _skip(text, start + 1)
    while True:  # walk the top object's members; it parsed, so this ends
        name, end = strict.item(text, position)
        position = _skip(text, _skip(text, end) + 1)
        if name == holders[0]:
            return position + 1
        _, end = strict.item(text, position)
        position = _skip(text, _skip(text, end) + 1)


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in _SPACE:
        position += 1
    return position


def _object(read: Any, path: File, line: int) -> dict[str, object]:
    try:
        value = read()
    except ValueError as error:
        raise DatasetError(f"{path.name}:{line}: {error}; fix or remove the row.") from None
    if not isinstance(value, dict):
        raise DatasetError(
            f'{path.name}:{line} is a {_kind(value)}; expected an object such as {{"ticket": ...,'
            ' "expected": ...}.'
        )
    return value


def _kind(value: object) -> str:
    return {dict: "object", list: "list", str: "text", bool: "boolean", type(None): "null"}.get(
        type(value), "number"
    )
