"""The form of a segment: one checksummed JSON line a row, so that damage costs the rows that it touches and no others.

A line is `CRC32 LENGTH TABLE JSON\\n`, the two numbers as 8 hex digits: the checksum covers, and the length counts, the
bytes of `TABLE JSON`. Rows are checked, capped and cleaned of secrets here, once, before a byte is written.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..errors import StoreError
from .schema import SCHEMA, TABLES, Kind

__all__ = ["META", "Scan", "encode", "meta_line", "scan"]

META = "meta"  # the first line of every segment: who wrote it, in which schema
MAX_TEXT = 1_000_000  # characters of a text; a 50 MB completion is kept as its head, its length and its hash
MAX_JSON = 16_000_000  # characters of a JSON document
_INT64 = 2**63
_PLAIN = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_HEADER = re.compile(rb"([0-9a-f]{8}) ([0-9a-f]{8}) (?=([a-z_]{1,32}) \{)")
_HEADER_BYTES = 18


def encode(table: str, rows: Sequence[Mapping[str, Any]], clean: Callable[[bytes], bytes]) -> bytes:
    """The lines of `rows`. clean: takes secrets out of UTF-8 text.

    Raises StoreError, before anything is written, where a table or column is unknown, a key is missing or a value has a
    type that the column cannot hold.
    """
    fields = _FIELDS.get(table)
    if fields is None:
        raise StoreError(f"there is no table {table!r}; the tables are {', '.join(TABLES)}.")
    known = _NAMES[table]
    out = []
    for row in rows:
        if not row.keys() <= known:
            unknown = sorted(map(str, row.keys() - known))
            raise StoreError(f"{table} has no column {unknown[0]!r}; its columns are {', '.join(TABLES[table].names)}.")
        values = {}
        for name, check, cap, required in fields:
            value = row.get(name)
            if value is not None:
                try:
                    value = check(value)
                except (ValueError, TypeError, OverflowError):
                    raise StoreError(
                        f"{table}.{name} is {type(value).__name__} {str(value)[:40]!r}; expected {_EXPECTED[check]}."
                    ) from None
            if value is None:
                if required:
                    raise StoreError(f"{table}.{name} is missing; it is part of the row's key, so every row needs it.")
                continue
            if cap and len(value) > cap:
                value = _capped(clean(_utf8(value)).decode(), cap)
            values[name] = value
        out.append(_line(table, clean(_utf8(_PLAIN(values)))))
    return b"".join(out)


def meta_line(**facts: Any) -> bytes:
    """The first line of a segment."""
    return _line(META, _utf8(_PLAIN({"schema": SCHEMA, **facts})))


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which UTF-8 cannot carry
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _line(table: str, text: bytes) -> bytes:
    body = b"%s %s" % (table.encode(), text)
    return b"%08x %08x %s\n" % (zlib.crc32(body), len(body), body)


# -- values


def _text(value: Any) -> str:
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


def _bool(value: Any) -> bool:
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):  # numpy's own, which is no Python bool
        return bool(value)
    raise TypeError


def _time(value: Any) -> str | None:
    if value == "":
        return None
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="microseconds")


_CHECKS: Mapping[Kind, Callable[[Any], Any]] = {"text": _text, "json": _text, "int": _int, "float": _float, "bool": _bool, "time": _time}
_EXPECTED: Mapping[Callable[[Any], Any], str] = {
    _text: "text",
    _int: "a whole number",
    _float: "a number",
    _bool: "true or false",
    _time: "UTC as ISO 8601 text",
}
_CAPS: Mapping[Kind, int] = {"text": MAX_TEXT, "json": MAX_JSON}
_FIELDS = {
    table.name: [(c.name, _CHECKS[c.kind], 0 if c.name in table.key else _CAPS.get(c.kind, 0), c.name in table.key) for c in table.columns]
    for table in TABLES.values()
}
_NAMES = {table.name: frozenset(table.names) for table in TABLES.values()}


def _capped(text: str, cap: int) -> str:
    """The head, with the length and SHA-256 of the rest; a JSON document stays one."""
    head, rest = text[:cap], text[cap:]
    digest = hashlib.sha256(rest.encode("utf-8", "surrogatepass")).hexdigest()
    if cap == MAX_JSON:
        return _PLAIN({"capped": {"head": head[:MAX_TEXT], "characters": len(text), "rest_sha256": digest}})
    return f"{head}… [{len(rest):,} more characters, sha256 {digest}]"


# -- reading


@dataclass(slots=True)
class Scan:
    """What a stretch of a segment holds.

    rows: table -> [(start, stop)] of each row's JSON in the stretch; end: where the next scan begins (a record that is
    not whole yet is left for it); damage: [(start, stop)] of bytes that are no record; schema: of the meta line, if met.
    """

    rows: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    end: int = 0
    damage: list[tuple[int, int]] = field(default_factory=list)
    schema: int | None = None


def scan(data: bytes, *, last: bool = False) -> Scan:
    """Every whole record of `data`. last: no more bytes will come, so that a broken tail is damage, not a record to wait for."""
    found, position, size = Scan(), 0, len(data)
    view, rows, match, crc32 = memoryview(data), found.rows, _HEADER.match, zlib.crc32
    while position < size:
        header = match(data, position)
        if header is not None:
            crc, length, table = header.groups()
            start = position + _HEADER_BYTES
            stop = start + int(length, 16)
            if stop <= size and crc32(view[start:stop]) == int(crc, 16):
                if stop == size and not last:
                    break  # its newline is still to come
                rows.setdefault(table.decode(), []).append((start + len(table) + 1, stop))
                position = stop + 1
                continue
        following = _next_record(data, position)
        if following is None and not last:
            break
        following = size if following is None else following
        found.damage.append((position, following))
        position = following
    found.end = min(position, size)
    for start, stop in rows.pop(META, ()):
        found.schema = max(found.schema or 0, int(json.loads(data[start:stop]).get("schema", SCHEMA)))
    return found


def _next_record(data: bytes, position: int) -> int | None:
    """Where a sound record begins after damage; None where none is left."""
    while True:
        position = data.find(b"\n", position) + 1
        if not position:
            return None
        header = _HEADER.match(data, position)
        if header is not None:
            start = position + _HEADER_BYTES
            stop = start + int(header[2], 16)
            if stop <= len(data) and zlib.crc32(memoryview(data)[start:stop]) == int(header[1], 16):
                return position
