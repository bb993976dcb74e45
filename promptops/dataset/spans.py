"""The position of one golden answer in the text of its file, and what to write there.

The rest of the text is treated as plain text and is kept unchanged.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from ..markup import cell, uncell
from . import strict
from .held import Held
from .json_file import items_of
from .long_cells import records
from .rows import Form

__all__ = ["Unsafe", "decoded", "place_of", "written"]

_SPACE = re.compile(r"[ \t\r\n]*")
_ENDS = re.compile(r"\r\n|\r|\n")
_NUMBER = re.compile(r"[+-]\d+(?:[.,]\d+)*")  # what begins as a formula and computes nothing
_MARKED = {  # encodings whose first bytes are a mark: each mark, and what follows it
    "utf-8-sig": ((codecs.BOM_UTF8, "utf-8"),),
    "utf-16": ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")),
    "utf-32": ((codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be")),
}


class Unsafe(Exception):
    """One value cannot be changed by itself. Its text is the reason alone, after "because"."""


def decoded(data: bytes, encoding: str) -> tuple[bytes, str, str]:
    """(the mark at the head, the text after it, its encoding without a mark)."""
    for mark, plain in _MARKED.get(encoding, ()):
        if data.startswith(mark):
            return mark, data[len(mark) :].decode(plain), plain
    return b"", data.decode(encoding), encoding


def place_of(
    text: str, file: Held, form: Form, row: tuple[int, int], column: str
) -> tuple[int, int]:
    """Where the value of a column begins and ends. row: its number from 0, and its line from 1.

    Raises Unsafe if the row has no such value by itself.
    """
    number, line = row
    if form.kind == "csv":
        return _cell(text, form, line, column)
    if form.kind == "list":
        _, start, _ = next(islice(items_of(text, file, []), number, None))
    else:
        start = _starts(text, re.compile("\n"))[line - 1]
    return _value(text, start, column)


def written(value: Any, old: str, text: str, form: Form) -> str:
    """What means the value in the file, quoted and escaped as its old one and its file are.

    old: what is there; value: text where the file is CSV.
    """
    if form.kind != "csv":
        escaped = text.isascii() and "\\u" in text
        return json.dumps(value, ensure_ascii=escaped, allow_nan=False)
    safe = value if _NUMBER.fullmatch(value) else cell(value)
    if old.startswith('"') or set(safe) & {form.delimiter, '"', "\r", "\n"}:
        return '"' + safe.replace('"', '""') + '"'
    return str(safe)


# -- delimited text


def _cell(text: str, form: Form, line: int, column: str) -> tuple[int, int]:
    starts = _starts(text, _ENDS)
    header = next(cells for cells in _records(text[starts[form.skipped] :], form) if any(cells))
    names = [uncell(name).strip() for name in header]
    spans = _spans(text, starts[line - 1], form.delimiter)
    cells = next(_records(text[starts[line - 1] : spans[-1][1]], form), [])
    if cells != [_unquoted(text[begin:end]) for begin, end in spans] or column not in names:
        raise Unsafe("its row is quoted in a way of its own")
    return spans[names.index(column)]


def _records(text: str, form: Form) -> Iterator[list[str]]:
    ends = [*_starts(text, _ENDS)[1:], len(text)]
    lines = (text[begin:end] for begin, end in zip([0, *ends], ends, strict=False))
    return records(lines, form.delimiter, strict=True)


def _spans(text: str, start: int, delimiter: str) -> list[tuple[int, int]]:
    """The spans of the cells of the record that begins at `start`, including their quotes."""
    plain = re.compile(f"[^{re.escape(delimiter)}\r\n]*")
    quoted = re.compile('"[^"]*(?:""[^"]*)*"')
    spans: list[tuple[int, int]] = []
    while True:
        found = quoted.match(text, start) or plain.match(text, start)
        end = found.end() if found is not None else start
        spans.append((start, end))
        if text[end : end + 1] != delimiter:
            return spans
        start = end + 1


def _unquoted(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell


def _starts(text: str, ends: re.Pattern[str]) -> list[int]:
    """Where the lines begin."""
    return [0, *(found.end() for found in ends.finditer(text))]


# -- JSON


def _value(text: str, start: int, column: str) -> tuple[int, int]:
    """A member of the object at `start`, or of the object under its `inputs`."""
    members = dict(_members(text, start))
    if column not in members and "inputs" in members:
        begin, _ = members["inputs"]
        members = dict(_members(text, begin)) if text[begin] == "{" else {}
    if column not in members:
        raise Unsafe(f"its row has no value {column!r} of its own")
    return members[column]


def _members(text: str, start: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """(name, the span of its value) of an object that was parsed before and is therefore valid."""
    at = _skip(text, _skip(text, start) + 1)
    while text[at] != "}":
        name, at = strict.item(text, at)
        begin = _skip(text, _skip(text, at) + 1)
        _, end = strict.item(text, begin)
        yield name, (begin, end)
        at = _skip(text, end)
        at = _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found is not None else at
