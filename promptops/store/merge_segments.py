"""Merging segments and archive into DuckDB, exactly once: rows and the offsets that they came from
commit together.

Anybody may merge, and kill it at any moment: what did not commit is merged by the next. A row whose
key is there already is not inserted again, so that the first row recorded is the row.
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..spool.segment import SEGMENTS, SUFFIX, Segment, read_pieces, segments
from .archive import Batch, look, marks_of
from .arrow_rows import ArrowRows, Keep
from .purges import keep_of
from .recorder import say
from .schema import TABLES
from .shortage import is_shortage
from .staged_rows import stage, unstage

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection as Connection

__all__ = ["Sources", "everything", "merge", "sources_of"]

_STEP = 16 << 20  # bytes of segments per transaction
_LOG = logging.getLogger("promptops.store")


@dataclass(frozen=True, slots=True)
class Sources:
    """All that was recorded. pending: (segment, bytes) that this process could not write yet; keep:
    None if nothing was purged; unreadable: parts of the archive that are left out -> why.
    """

    segments: tuple[Segment, ...]
    batches: tuple[Batch, ...]
    pending: tuple[str, bytes] = ("", b"")
    keep: Keep | None = None
    unreadable: Mapping[Path, str] = field(default_factory=dict)

    def sizes(self) -> dict[str, int]:
        """segment -> bytes, of segments and archive."""
        sizes = marks_of(self.batches)
        for segment in self.segments:
            sizes[segment.name] = max(
                segment.size + self._waiting(segment.name), sizes.get(segment.name, 0)
            )
        return sizes

    def within(self, marks: Mapping[str, int]) -> Sources:
        """What is in the first bytes of each segment that `marks` names: what was recorded up
        to one moment.
        """
        own, pending = self.pending
        written = next((segment.size for segment in self.segments if segment.name == own), 0)
        return replace(
            self,
            segments=tuple(
                replace(found, size=min(found.size, marks.get(found.name, 0)))
                for found in self.segments
            ),
            batches=tuple(
                b
                for b in self.batches
                if all(size <= marks.get(name, 0) for name, size in b.segments.items())
            ),
            pending=(own, pending[: max(0, marks.get(own, 0) - written)]),
        )

    def once(self) -> Sources:
        """Without the segments that the archive holds, which no merge into a new file reads: their
        rows may be purged in the archive alone.
        """
        held = marks_of(self.batches)
        left = (found for found in self.segments if found.size > held.get(found.name, 0))
        return replace(self, segments=tuple(left))

    def beyond(self, covered: Mapping[str, int]) -> bool:
        """Whether there is anything that `covered` has not."""
        return any(size > covered.get(name, 0) for name, size in self.sizes().items())

    def _waiting(self, name: str) -> int:
        return len(self.pending[1]) if name == self.pending[0] else 0


def sources_of(folder: Path, own: tuple[str, int, bytes] = ("", 0, b"")) -> Sources:
    """What is on the disk, and what waits in this process's memory. Segments are listed before the
    archive, so that one which is archived meanwhile is met twice rather than never.
    """
    name, size, pending = own
    listed = [segment for segment in segments(folder) if segment.name != name]
    if name:
        listed.append(Segment(name, folder / SEGMENTS / f"{name}{SUFFIX}", size))
    listed.sort(key=lambda segment: segment.name)
    found, faults = look(folder)
    return Sources(tuple(listed), tuple(found), (name, pending), keep_of(folder), faults)


@dataclass(slots=True)
class _Step:
    """What one transaction will hold."""

    rows: ArrowRows = field(default_factory=ArrowRows)
    marks: dict[str, tuple[int, int]] = field(
        default_factory=dict
    )  # segment -> (bytes, damaged records)
    size: int = 0


def merge(con: Connection, sources: Sources, most: float = math.inf) -> int:
    """Insert what is not merged yet; returns how many rows were new.

    con: attached for writing. Memory stays flat: a step of `_STEP` bytes at a time, and no further
    step after `most` bytes, for callers that open the file again then (what DuckDB takes grows as
    long as it is open).
    """
    _choose_compression(con, sources)
    ledger = {
        name: (size, dropped)
        for name, size, dropped in con.execute(
            "SELECT segment, bytes, dropped FROM internal.ledger"
        ).fetchall()
    }
    new = 0
    for batch in sources.batches:
        if any(size > _held(ledger, name) for name, size in batch.segments.items()):
            import pyarrow as pa

            try:
                new += _archived(con, batch, ledger)
            except (pa.ArrowException, OSError) as error:
                if is_shortage(error):
                    raise
                # else it was rewritten since it was listed: the next merge meets its rows in
                # another
                if batch.stands():
                    say(
                        f"the archive {batch.folder} cannot be read ({str(error).splitlines()[0]});"
                        " its rows are left out: run the store's repair()."
                    )
                continue
            ledger |= {
                name: (max(size, _held(ledger, name)), 0) for name, size in batch.segments.items()
            }
    for step in _steps(sources, ledger):
        with _staged(con, step) as rows:
            new += _commit(con, rows, step.marks)
        most -= step.size
        if most <= 0:
            break
    _LOG.debug("%d new rows merged from %d segments", new, len(sources.segments))
    return new


def _choose_compression(con: Connection, sources: Sources) -> None:
    """Without FSST while all that was recorded is less than a step: it takes as long as half of
    such a merge, and saves some megabytes of a file that has few.
    """
    import duckdb

    small = sum(sources.sizes().values()) < _STEP
    with suppress(duckdb.Error):  # a release that has no such method needs none to be left out
        con.execute(f"SET disabled_compression_methods = '{'fsst' if small else ''}'")


@contextmanager
def _staged(con: Connection, step: _Step) -> Iterator[list[tuple[str, pa.Table | str]]]:
    """(table, its rows: the name of a temporary table, or a pyarrow table) of all that the step
    has. Arrow is the faster for many rows, and once it is imported.
    """
    found: list[tuple[str, pa.Table | str]] = []
    by_duckdb = step.size < _STEP and "pyarrow" not in sys.modules
    try:
        for place, part in enumerate(step.rows.parts()):
            name = f"fresh_{place}"
            made = by_duckdb and stage(con, name, part)
            found.append((part.table, name if made else step.rows.built(part)))
        if step.rows.wrong:
            last = next(reversed(step.marks))
            step.marks[last] = (step.marks[last][0], step.marks[last][1] + step.rows.wrong)
        step.rows = ArrowRows()  # let go of it before the next is read
        yield found
    finally:
        for _, rows in found:
            if isinstance(rows, str):
                unstage(con, rows)
        found.clear()


def _held(ledger: Mapping[str, tuple[int, int]], name: str) -> int:
    """How many bytes of a segment are merged already."""
    return ledger[name][0] if name in ledger else 0


def _steps(sources: Sources, ledger: Mapping[str, tuple[int, int]]) -> Iterator[_Step]:
    step = _Step()
    for segment in sources.segments:
        start, dropped = ledger.get(segment.name, (0, 0))
        ours = segment.name == sources.pending[0]
        pending = sources.pending[1] if ours else b""
        try:
            for piece in read_pieces(segment, start, pending):
                dropped += len(piece.scan.damage)
                step.rows.add(piece, sources.keep, ours=ours)
                step.marks[segment.name] = (piece.end, dropped)
                step.size += len(piece.data)
                if step.size >= _STEP:
                    yield step
                    step = _Step()
        except FileNotFoundError:
            continue  # archived since it was listed: the next merge meets it there
    if step.marks:
        yield step


def everything(sources: Sources) -> Iterator[tuple[str, pa.Table]]:
    """(table, pyarrow table) of all that was ever recorded and is not hidden, repeated keys and
    all.
    """
    for batch in sources.batches:
        yield from batch.read()
    for step in _steps(sources, {}):
        yield from step.rows.tables()


def _archived(con: Connection, batch: Batch, ledger: Mapping[str, tuple[int, int]]) -> int:
    """All of a batch in one transaction, some thousand rows at a time."""
    first = next(iter(batch.segments), "")  # the batch's damaged records are counted once
    marks = {
        name: (max(size, _held(ledger, name)), batch.dropped if name == first else 0)
        for name, size in batch.segments.items()
    }
    return _commit(con, batch.read(), marks)


def _commit(
    con: Connection,
    tables: Iterable[tuple[str, pa.Table | str]],
    marks: Mapping[str, tuple[int, int]],
) -> int:
    import duckdb

    new = 0
    con.execute("BEGIN")
    try:
        _mark(con, marks)
        for table, rows in tables:
            new += insert(con, table, rows)
        con.execute("COMMIT")
    except BaseException:
        with suppress(duckdb.Error):  # a commit that failed has rolled back already
            con.execute("ROLLBACK")
        raise
    return new


def _mark(con: Connection, marks: Mapping[str, tuple[int, int]]) -> None:
    con.execute("DELETE FROM internal.ledger WHERE segment IN (SELECT unnest(?))", [list(marks)])
    sizes, dropped = [size for size, _ in marks.values()], [count for _, count in marks.values()]
    con.execute(
        "INSERT INTO internal.ledger SELECT unnest(?), unnest(?), unnest(?)",
        [list(marks), sizes, dropped],
    )


def insert(con: Connection, table: str, rows: pa.Table | str) -> int:
    """Insert the rows of a pyarrow table, or of the temporary table of this name, whose keys are
    new; of equal keys the first.

    Returns how many.
    """
    if isinstance(rows, str):
        added = _insert(con, table, f"temp.{rows}", "rowid")
    elif not len(rows):
        return 0
    else:
        con.register("fresh", _placed(rows))
        try:
            added = _insert(con, table, "fresh", "_place")
        finally:
            con.unregister("fresh")
    con.execute("UPDATE internal.counts SET rows = rows + ? WHERE table_name = ?", [added, table])
    return added


def _insert(con: Connection, table: str, rows: str, place: str) -> int:
    columns, key = _listed(TABLES[table].names), TABLES[table].key
    same = " AND ".join(f'o."{name}" = f."{name}"' for name in key)
    added: int = con.execute(
        f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {rows} f WHERE {place} IN (SELECT"
        f" min({place}) FROM {rows} GROUP BY {_listed(key)}) AND NOT EXISTS (SELECT 1 FROM"
        f" {table} o WHERE {same})"
    ).fetchall()[0][0]
    return added


def _placed(rows: pa.Table) -> pa.Table:
    """The rows with their places."""
    import numpy as np
    import pyarrow as pa

    places = pa.py_buffer(
        np.arange(len(rows), dtype=np.int64)
    )  # pa.array(numpy array) would import pandas: half a second
    return rows.append_column(
        "_place", pa.Array.from_buffers(pa.int64(), len(rows), [None, places])
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
