"""Taking live rows into the store: from the folder that an application records to, while it does,
and from lines of JSON that a log agent kept. What was taken before is taken once.

A row that does not fit the tables is counted and left; it stops no other.
"""

from __future__ import annotations

import hashlib
import json
import re
from codecs import getincrementaldecoder
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any

from ..errors import StoreError
from ..markup import count
from ..observe.row_writer import HASHED, USERS, keyed_hash
from ..observe.sinks import project_key
from ..spool.segment import read_pieces, segments
from ..store import Store
from ..store.schema import TABLES, renamed
from .live_lines import LiveLines, first_line, line_files
from .live_outcomes import recorded_rows
from .log_file import DAMAGED, opened
from .otlp_rows import ended_rows_of_file, rows_of_file
from .purged_rows import PurgedRows
from .queries.live_listing import LIVE_TABLES, rows_held, taken_of_each

__all__ = [
    "LIVE_TABLES",
    "Ingested",
    "is_live_file",
    "read_files",
    "take_file",
    "take_files",
    "take_folder",
    "take_rows",
]

_MANY = 5_000
_HEAD = 1 << 16  # bytes of a file by which it is known
_PART = 1 << 20  # bytes that are hashed at once
_OURS = re.compile(rb'\{\\*"promptops\\*"')  # as it is, and within the JSON of log agents
_LOG_NAME = re.compile(r"\.(log|out)(?=[.-]|$)", re.IGNORECASE)
_LOG = "log-"  # and a hash of what was read of it, by which a log is known under any name
Row = Mapping[str, Any]


@dataclass(slots=True)
class Ingested:
    """rows: that were read; refused: those among them that fit no table; new: those that the store
    did not have, None if that was not counted; cut: lines of live rows that are not whole; purged:
    those among the rows that a purge removed before.
    """

    rows: int = 0
    refused: int = 0
    new: int | None = None
    cut: int = 0
    purged: int = 0

    def __str__(self) -> str:
        fit = f"; {self.refused:,} fit no table" if self.refused else ""
        new = "" if self.new is None else f", {self.new:,} of them new"
        cut = (
            f"; {count(self.cut, 'line')} could not be read, cut off in the log" if self.cut else ""
        )
        purged = f"; {self.purged:,} were purged before and stay away" if self.purged else ""
        return f"{self.rows:,} live rows read{new}{fit}{purged}{cut}."


def take_folder(store: Store, folder: Path) -> Ingested:
    """Take what the folder's segments and files of lines have and was not taken yet."""
    taken = Ingested()
    if not folder.is_dir():
        return taken
    lines = line_files(folder)
    # what is recorded straight into the store is merged by it
    own = [] if folder.resolve() == store.folder.resolve() else segments(folder)
    where = str(folder.resolve())
    marks = taken_of_each(store) if own or lines else {}
    for segment in own:
        start = marks.get(segment.name, 0)
        if segment.size <= start:
            continue
        for piece in read_pieces(segment, start):
            rows = {
                table: [json.loads(piece.data[begin:end]) for begin, end in spans]
                for table, spans in piece.scan.rows.items()
                if table in LIVE_TABLES
            }
            mark = {"source": segment.name, "bytes": piece.end, "folder": where}
            _append(store, rows, {"live_sources": [mark]}, taken)
    grown = [_take_grown(store, path, marks) for path in lines]
    return _together([taken, *grown])


def _take_grown(store: Store, path: Path, marks: dict[str, int]) -> Ingested:
    """What a file of lines has and was not taken yet, under this name or another."""
    source = first_line(path)
    if not source:
        return Ingested()
    start = marks.get(source, 0)
    lines = LiveLines(path, LIVE_TABLES, start, grows=True)
    # one that is new here may overlap with another; what one has grown by was never purged
    gone = None if start else PurgedRows(store)
    taken = take_rows(store, (each for each in lines if gone is None or not gone.hold(*each)))
    if gone is not None:
        taken.purged = gone.left_out
        taken.rows += gone.left_out
    taken.cut, marks[source] = lines.cut, lines.end
    if lines.end != start:
        where = str(path.resolve())
        store.append("live_sources", [{"source": source, "bytes": lines.end, "folder": where}])
    return taken


def is_live_file(path: Path) -> bool:
    """Whether a file holds live calls: lines of our own, or OTLP/JSON; or whether a folder is one
    that an application records to. A log that was rotated just now may hold no call yet.
    """
    if path.is_dir():
        return bool(segments(path)) or any(map(is_live_file, line_files(path)))
    try:
        with opened(path) as file:
            head = _head(file)
    except DAMAGED:
        return False
    if _OURS.search(head) or b'"resourceSpans"' in head:
        return True
    is_log = bool(_LOG_NAME.search(path.name))
    if head.lstrip().startswith((b"{", b"[")) and not (is_log and len(head) == _HEAD):
        return False
    if len(head) < _HEAD:
        return is_log and _is_text(head)
    return next(iter(LiveLines(path, LIVE_TABLES)), None) is not None


def _is_text(head: bytes) -> bool:
    """Whether this is a text as logs are read, and not UTF-16 or packed in a way not known here."""
    try:
        return "\0" not in getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False


def _head(file: IO[bytes]) -> bytes:
    """The first bytes, or those before the place where it is damaged."""
    parts, size = [], 0
    with suppress(*DAMAGED):
        while size < _HEAD and (part := file.readline(_HEAD - size)):
            parts.append(part)
            size += len(part)
    return b"".join(parts)


def take_files(store: Store, paths: Sequence[Path]) -> Ingested:
    """Take several files, and count what is new: a file that was taken before adds nothing."""
    before = rows_held(store)
    both = [take_file(store, path) for path in paths]
    return _together(both, rows_held(store) - before)


def _together(parts: Sequence[Ingested], new: int | None = None) -> Ingested:
    rows, refused = sum(each.rows for each in parts), sum(each.refused for each in parts)
    cut, purged = sum(each.cut for each in parts), sum(each.purged for each in parts)
    return Ingested(rows, refused, new, cut, purged)


def read_files(paths: Sequence[Path]) -> Ingested:
    """How many rows the files hold; nothing is written."""
    found = Ingested()
    for path in paths:
        if path.is_dir():
            found.rows += sum(1 for _ in recorded_rows(path, LIVE_TABLES))
            continue
        lines = LiveLines(path, LIVE_TABLES)
        found.rows += sum(1 for rows in (lines, rows_of_file(path)) for _ in rows)
        found.cut += lines.cut
    return found


def take_file(store: Store, path: Path) -> Ingested:
    """Take a file of lines: our own of stdout, or OTLP/JSON from any tool; or a folder.

    What the same file had when it was taken before is counted as read, and not taken again: it may
    have been purged since. Of another file, what a purge removed is left out.
    """
    if path.is_dir():
        return take_folder(store, path)
    start, mark = _taken_before(store, path)
    secret = project_key(store.folder)
    lines, passed = LiveLines(path, LIVE_TABLES), Counter[bool]()
    gone = PurgedRows(store)

    def is_new(end: int) -> bool:
        passed[end > start] += 1
        return end > start

    own = (found for found in lines if is_new(lines.read))
    spans = (
        _hashed(table, row, secret) for end, table, row in ended_rows_of_file(path) if is_new(end)
    )
    taken = take_rows(store, (each for each in chain(own, spans) if not gone.hold(*each)))
    taken.purged, taken.cut = gone.left_out, lines.cut
    taken.rows += passed[False] + gone.left_out
    if mark["bytes"] != start:
        store.append("live_sources", [mark])
    return taken


def _taken_before(store: Store, path: Path) -> tuple[int, dict[str, Any]]:
    """Up to which byte the file is one that was taken before, under any name; and its mark now."""
    marks = taken_of_each(store)
    size, start, digest = 0, 0, hashlib.sha256()
    ends = sorted(end for name, end in marks.items() if name.startswith(_LOG) and end > 0)
    with suppress(*DAMAGED), opened(path) as file:
        for end in [*ends, None]:
            while part := file.read(_PART if end is None else min(end - size, _PART)):
                digest.update(part)
                size += len(part)
            if end == size and marks.get(f"{_LOG}{digest.hexdigest()[:32]}") == end:
                start = end
    source = f"{_LOG}{digest.hexdigest()[:32]}"
    return start, {"source": source, "bytes": size, "folder": str(path.resolve())}


def _hashed(table: str, row: Row, secret: bytes | None) -> tuple[str, Row]:
    """The row with its users as keyed hashes: others write a conversation's name as it is."""
    found = dict(row)
    for name in USERS:
        value = found.get(name)
        if value is not None and not str(value).startswith(HASHED):
            found[name] = keyed_hash(secret, str(value)) if secret else None
    return table, found


def take_rows(store: Store, rows: Iterable[tuple[str, Row]]) -> Ingested:
    """Take (table, row) pairs, some thousand at a time."""
    taken = Ingested()
    together: dict[str, list[Row]] = {}
    for number, (table, row) in enumerate(rows, 1):
        together.setdefault(table, []).append(row)
        if number % _MANY == 0:
            _append(store, together, {}, taken)
            together = {}
    _append(store, together, {}, taken)
    return taken


def _append(
    store: Store, rows: Mapping[str, list[Row]], marks: Mapping[str, list[Row]], taken: Ingested
) -> None:
    """All in one write; where a row is refused, one at a time."""
    known = {table: [_known(table, row) for row in listed] for table, listed in rows.items()}
    taken.rows += sum(map(len, known.values()))
    try:
        store.append_all({**known, **marks})
        return
    except StoreError:
        pass
    for table, listed in known.items():
        for row in listed:
            try:
                store.append(table, [row])
            except StoreError:
                taken.refused += 1
    store.append_all(marks)


def _known(table: str, row: Row) -> dict[str, object]:
    """The columns of this release, by their names of today: a newer one may write more."""
    names = TABLES[table].names
    return {name: value for name, value in renamed(table, row).items() if name in names}
