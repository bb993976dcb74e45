"""Rows as records of a segment: checked, capped and cleaned of secrets here, once, before a byte is
written.

A row is a record of its own, but for the tables in `PACKED`: their rows come by the hundred
thousand and follow from the runs, so that they can be made again, and up to `TOGETHER` of them are
one record, a pack, column by column: `{"table": "scores", "rows": 2, "columns": {"scorer":
"equals", "run_id": ["r-1", "r-2"]}}`. A value that all its rows share is written once, a column
that is null in all of them not at all.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from types import NoneType
from typing import Any, NamedTuple

from ..errors import StoreError
from ..spool.lines import cleaned, plain_json, record
from .columns import Column, Kind
from .schema import TABLES

__all__ = ["PACK", "PACKED", "TOGETHER", "encode", "encode_columns"]

PACK = "pack"
PACKED = frozenset(("scores", "study_runs"))
TOGETHER = 500  # rows of a pack, at most: what damage to one byte can cost
# characters of a text; a 50 MB completion is kept as its head, its length and its hash
MAX_TEXT = 1_000_000
MAX_JSON = 16_000_000  # characters of a JSON document
_INT64 = 2**63
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", re.ASCII)  # as it is stored
Clean = Callable[[bytes], bytes]


def encode(table: str, rows: Sequence[Mapping[str, Any]], clean: Clean) -> bytes:
    """The records of `rows`. clean: takes secrets out of UTF-8 text.

    Raises StoreError, before anything is written, if a table or column is unknown, a key is
    missing or a value has a type that the column cannot hold.
    """
    fields = _fields_of(table)
    known = _NAMES[table]
    for row in rows:
        if not row.keys() <= known:
            _refuse(table, row.keys() - known)
    if table in PACKED:
        return encode_columns(
            table, {field.name: [row.get(field.name) for row in rows] for field in fields}, clean
        )
    out: list[bytes] = []
    for row in rows:
        plan = _plan(table, tuple(row), tuple(map(type, row.values())))
        document = plan.document(row) if plan is not None else None
        out.append(plain_json(_values(table, row, clean)) if document is None else document)
    together = b"\n".join(out)
    if clean(together) is not together:  # else no row holds a secret, which one look shows
        out = [cleaned(document, clean) for document in out]
    return b"".join([record(table, document) for document in out])


def _values(table: str, row: Mapping[str, Any], clean: Clean) -> dict[str, object]:
    """The row as it is stored, each value looked at by itself."""
    values: dict[str, object] = {}
    for field in _FIELDS[table]:
        name, _, sure, cap, required = field
        value: Any = row.get(name)
        if value is not None and (value.__class__ is float or value.__class__ not in sure):
            value = _stored(table, field, value)
        if value is not None:
            values[name] = _capped(value, cap, clean) if cap and len(value) > cap else value
        elif required:
            raise StoreError(_MISSING.format(table, name))
    return values


class _Plan(NamedTuple):
    """How a row is written whose values are of certain types, so that most rows are looked at as a
    whole. names: of the columns that are not null, in order; pick: takes them out of a row; whole,
    moments: those of them that hold whole numbers, and times.
    """

    names: tuple[str, ...]
    pick: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    whole: tuple[str, ...]
    moments: tuple[str, ...]

    def document(self, row: Mapping[str, Any]) -> bytes | None:
        """The row's JSON; None if a value of it has to be looked at by itself."""
        for name in self.whole:
            if not -_INT64 <= row[name] < _INT64:
                return None
        try:
            for name in self.moments:
                if not _MOMENT.fullmatch(row[name]):
                    return None
                datetime.fromisoformat(row[name])  # the day is one
            text = plain_json(dict(zip(self.names, self.pick(row), strict=True)))
        except ValueError:  # there is no such day, or a number is not finite
            return None
        return text if len(text) <= MAX_TEXT else None


@lru_cache(maxsize=512)  # each table has few combinations of what is known of a row
def _plan(table: str, names: tuple[str, ...], kinds: tuple[type, ...]) -> _Plan | None:
    """The plan for rows with these columns and types; None if there is none."""
    given = dict(zip(names, kinds, strict=True))
    kept: list[str] = []
    for name, check, _, _, required in _FIELDS[table]:
        kind = given.get(name, NoneType)
        if kind is NoneType:
            if required:
                return None
        elif kind is _PLAIN_TYPES[check]:
            kept.append(name)
        else:
            return None
    if len(kept) < 2:  # one value is not picked as a tuple
        return None
    checks = {field.name: field.check for field in _FIELDS[table]}
    whole = tuple(name for name in kept if checks[name] is _int)
    moments = tuple(name for name in kept if checks[name] is _time)
    return _Plan(tuple(kept), itemgetter(*kept), whole, moments)


def encode_columns(table: str, columns: Mapping[str, Any], clean: Clean) -> bytes:
    """The packs of rows that are given column by column: a list holds a value per row, anything
    else is what all rows share.

    Raises StoreError as `encode` does, and if the lists are not of one length.
    """
    fields = _fields_of(table)
    if not columns.keys() <= _NAMES[table]:
        _refuse(table, columns.keys() - _NAMES[table])
    sizes = {len(column) for column in columns.values() if isinstance(column, list)}
    if len(sizes) != 1:
        raise StoreError(
            f"the columns of {table} have {sorted(sizes)} rows; expected lists of one length."
        )
    ready: dict[str, Any] = {}
    for field in fields:
        column = columns.get(field.name)
        if column is not None:
            column = _column(table, field, column if isinstance(column, list) else [column], clean)
        if field.required and (column is None or None in column):
            raise StoreError(_MISSING.format(table, field.name))
        if column is not None:
            ready[field.name] = column
    [count] = sizes
    return b"".join(
        record(PACK, cleaned(plain_json(document), clean))
        for document in _packs(table, ready, count)
    )


def _packs(
    table: str, columns: Mapping[str, list[object]], count: int
) -> Iterator[dict[str, object]]:
    for start in range(0, count, TOGETHER):
        shown: dict[str, object] = {}
        for name, column in columns.items():
            part = column[start : start + TOGETHER] if len(column) == count else column
            shared = part.count(part[0]) == len(part)
            if not shared or part[0] is not None:
                shown[name] = part[0] if shared else part
        yield {"table": table, "rows": min(TOGETHER, count - start), "columns": shown}


# -- values


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _int(value: Any) -> int | None:
    number = int(value)
    if isinstance(value, str) or number != value:
        raise TypeError
    return number if -_INT64 <= number < _INT64 else None


def _float(value: Any) -> float | None:
    if isinstance(value, (str, bytes)):
        raise TypeError
    number = float(value)
    return number if math.isfinite(number) else None  # JSON has no NaN, and unknown is null


def _bool(value: object) -> bool:
    if isinstance(value, bool) or type(value).__name__ in (
        "bool",
        "bool_",
    ):  # numpy's own, which is not a Python bool
        return bool(value)
    raise TypeError


def _time(value: Any) -> str | None:
    if value == "":
        return None
    if value.__class__ is str and _MOMENT.fullmatch(value):
        datetime.fromisoformat(value)  # the day is one
        return str(value)
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="microseconds")


class _Field(NamedTuple):
    """What a column holds. sure: the types whose every value `check` returns as it is; cap:
    characters, 0 for no limit.
    """

    name: str
    check: Callable[[Any], object]
    sure: frozenset[type]
    cap: int
    required: bool

    @classmethod
    def of(cls, column: Column, key: Sequence[str]) -> _Field:
        required = column.name in key
        return cls(
            column.name,
            _CHECKS[column.kind],
            _SURE[column.kind],
            0 if required else _CAPS.get(column.kind, 0),
            required,
        )


_CHECKS: Mapping[Kind, Callable[[object], object]] = {
    "text": _text,
    "json": _text,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "time": _time,
}
_SURE: Mapping[Kind, frozenset[type]] = {
    "text": frozenset((str, NoneType)),
    "json": frozenset((str, NoneType)),
    "int": frozenset(),
    "float": frozenset((float, NoneType)),
    "bool": frozenset((bool, NoneType)),
    "time": frozenset(),
}
_EXPECTED: Mapping[Callable[[object], object], str] = {
    _text: "text",
    _int: "a whole number",
    _float: "a number",
    _bool: "true or false",
    _time: "UTC as ISO 8601 text",
}
# the types of whose values most are stored as they are
_PLAIN_TYPES: Mapping[Callable[[object], object], type] = {
    _text: str,
    _int: int,
    _float: float,
    _bool: bool,
    _time: str,
}
_CAPS: Mapping[Kind, int] = {"text": MAX_TEXT, "json": MAX_JSON}
_FIELDS = {
    table.name: [_Field.of(column, table.key) for column in table.columns]
    for table in TABLES.values()
}
_NAMES = {table.name: frozenset(table.names) for table in TABLES.values()}
_MISSING = "{}.{} is missing; it is part of the row's key, so every row needs it."


def _fields_of(table: str) -> list[_Field]:
    fields = _FIELDS.get(table)
    if fields is None:
        raise StoreError(f"there is no table {table!r}; the tables are {', '.join(TABLES)}.")
    return fields


def _refuse(table: str, unknown: set[Any]) -> None:
    raise StoreError(
        f"{table} has no column {min(map(str, unknown))!r}; its columns are"
        f" {', '.join(TABLES[table].names)}."
    )


def _stored(table: str, field: _Field, value: Any) -> object:
    """`_checked`, by the shortest way for the numbers that a run has."""
    if value.__class__ is int and field.check is _int and -_INT64 <= value < _INT64:
        return value
    if value.__class__ is float and field.check is _float and math.isfinite(value):
        return value
    return _checked(table, field, value)


def _checked(table: str, field: _Field, value: object) -> object:
    try:
        return field.check(value)
    except (ValueError, TypeError, OverflowError):
        expected = _EXPECTED[field.check]
        raise StoreError(
            f"{table}.{field.name} is {type(value).__name__} {str(value)[:40]!r}; expected"
            f" {expected}."
        ) from None


def _column(table: str, field: _Field, values: list[Any], clean: Clean) -> list[object]:
    """The values as they are stored: looked at one by one only if their types leave a doubt."""
    sure = field.sure.issuperset(map(type, values))
    if not sure or (field.check is _float and not all(map(math.isfinite, filter(None, values)))):
        values = [None if value is None else _checked(table, field, value) for value in values]
    if field.cap and max(map(len, filter(None, values)), default=0) > field.cap:
        values = [
            (
                _capped(value, field.cap, clean)
                if value is not None and len(value) > field.cap
                else value
            )
            for value in values
        ]
    return values


def _capped(text: str, cap: int, clean: Clean) -> str:
    """The head of the cleaned text, with the length and SHA-256 of the rest; a JSON document stays
    one.
    """
    text = clean(
        text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
    ).decode()
    head, rest = text[:cap], text[cap:]
    digest = hashlib.sha256(rest.encode()).hexdigest()
    if cap == MAX_JSON:
        return plain_json(
            {"capped": {"head": head[:MAX_TEXT], "characters": len(text), "rest_sha256": digest}}
        ).decode()
    return f"{head}… [{len(rest):,} more characters, sha256 {digest}]"
