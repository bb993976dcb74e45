"""The form of a segment: checksummed JSON lines, so that damage costs the records that it touches
and no others.

A line is `CRC32 LENGTH TAG JSON\n`, the two numbers as 8 hex digits: the checksum covers, and the
length counts, the bytes of `TAG JSON`. The tag is the table of the row that is there, `pack`
for several rows, or `meta`.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["META", "SCHEMA", "Scan", "cleaned", "meta_line", "plain_json", "record", "scan"]

SCHEMA = 2  # raised when a release writes what an older one would misread
META = "meta"  # the first line of every segment: who wrote it, in which schema


def _writer() -> Callable[[object], str]:
    """Writes JSON as the standard library does. Its encoder makes another one, in C, for each
    document, which takes a fifth of the time of a short one: here that is made once.
    """
    plain = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # a Python without it
        return plain.encode
    quoted = json.encoder.encode_basestring
    write = make(None, plain.default, quoted, None, ":", ",", False, False, False)
    return lambda value: "".join(write(value, 0))


_PLAIN = _writer()
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"?')
_HEADER = re.compile(rb"([0-9a-f]{8}) ([0-9a-f]{8}) (?=([a-z_]{1,32}) \{)")
_HEADER_BYTES = 18


def plain_json(value: object) -> bytes:
    """One JSON document as UTF-8, without a line break.

    Raises ValueError for NaN, TypeError for what JSON has not.
    """
    text = _PLAIN(value)
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which UTF-8 cannot carry
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def cleaned(document: bytes, clean: Callable[[bytes], bytes]) -> bytes:
    """A JSON document without secrets; one that equals a number in it is left, since the record
    would be lost if it were not JSON.
    """
    done = clean(document)
    if done is not document:
        try:
            json.loads(done)
        except ValueError:
            return _TEXT.sub(lambda text: clean(text[0]), document)
    return done


def record(tag: str, document: bytes) -> bytes:
    """The line of one JSON object."""
    body = b"%s %s" % (tag.encode(), document)
    return b"%08x %08x %s\n" % (zlib.crc32(body), len(body), body)


def meta_line(**facts: object) -> bytes:
    """The first line of a segment."""
    return record(META, plain_json({"schema": SCHEMA, **facts}))


# -- reading


@dataclass(slots=True)
class Scan:
    """What a stretch of a segment holds.

    rows: tag -> [(start, stop)] of each record's JSON in the stretch; end: where the next scan
    begins (a record that is not whole yet is left for it); damage: [(start, stop)] of bytes that
    are not a record; schema: of the meta line, if met.
    """

    rows: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    end: int = 0
    damage: list[tuple[int, int]] = field(default_factory=list)
    schema: int | None = None


def scan(data: bytes, *, last: bool = False) -> Scan:
    """Every whole record of `data`. last: no more bytes will come, so that a broken tail is damage,
    not a record to wait for.
    """
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
        found.schema = max(
            found.schema or 0, int(json.loads(data[start:stop]).get("schema", SCHEMA))
        )
    return found


def _next_record(data: bytes, position: int) -> int | None:
    """Where a sound record begins after damage; None if none is left."""
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
