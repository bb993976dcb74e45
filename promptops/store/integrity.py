"""What a doctor looks at: every record, file, column and id is read; each fault is one line that
names it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..dataset.example import Example
from ..errors import PromptOpsError
from ..key_shapes import HIDDEN
from ..markup import count
from ..spool.segment import read_pieces
from ..version import PromptVersion
from .connect import Busy, Damaged
from .database import Database
from .merge_segments import Sources, everything
from .patience import patiently
from .schema import TABLES
from .shortage import is_shortage

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Connection

__all__ = ["check_archive", "check_database", "check_ends", "check_segments", "unrecorded"]


def check_segments(sources: Sources, merged: Mapping[str, int]) -> Iterator[str]:
    """Damaged records, and segments that lost bytes which had been merged."""
    for segment in sources.segments:
        own = segment.name == sources.pending[0]
        pending = sources.pending[1] if own else b""
        size = segment.size + len(pending)
        if size < merged.get(segment.name, 0):
            yield (
                f"{segment.path} has {size:,} bytes, {merged[segment.name]:,} were merged from it:"
                " it was cut."
            )
        if pending:
            yield (
                f"{len(pending):,} bytes of rows wait in the memory of this process, since"
                f" {segment.path} cannot be written."
            )
        try:
            for piece in read_pieces(segment, 0, pending):
                for start, stop in piece.scan.damage:
                    yield (
                        f"{segment.path} is damaged from byte {piece.start + start:,} to"
                        f" {piece.start + stop:,}: what stood there is lost, the rest is kept."
                    )
        except FileNotFoundError:
            continue  # archived meanwhile


def check_ends(ends: Mapping[str, int], sources: Sources) -> Iterator[str]:
    """Segments of which less is left than their writers noted.

    ends: read before the sources were listed.
    """
    sizes = sources.sizes()
    for name, size in ends.items():
        left = sizes.get(name, 0)
        if left < size:
            yield (
                f"the segment {name} reached {size:,} bytes, segments and archive have {left:,}"
                " of them: acknowledged rows are lost unless the DuckDB file has them; run"
                " repair(), which saves those."
            )


def check_archive(sources: Sources) -> Iterator[str]:
    """Files of the archive that are missing or were changed, and records that were damaged when
    they came in.
    """
    for path, fault in sources.unreadable.items():
        yield f"{path} is left out: {fault}; run repair()."
    for batch in sources.batches:
        for name in batch.damaged():
            yield (
                f"{batch.folder / name} is missing or no longer has its checksum; restore it from a"
                " backup, or from the DuckDB file."
            )
        if batch.dropped:
            yield (
                f"{batch.folder} was made of segments with {batch.dropped:,} damaged records, which"
                " are lost."
            )


def check_database(
    database: Database, sources: Callable[[], Sources], least: Mapping[str, int]
) -> list[str]:
    """Counts, every value of every column beside what segments and archive hold, and the ids that
    follow from content.

    least: segment -> bytes that the file must hold at least. Of what was recorded since, as much is
    compared as it holds: the sources are listed while nobody can merge, so that both are of one
    moment. A process of our own that merges is waited for.
    """
    import duckdb

    def look() -> list[str]:
        with database.reading() as con:
            listed = sources()
            covered = database.covered
            marks = {name: max(least.get(name, 0), covered.get(name, 0)) for name in listed.sizes()}
            return [
                *_compared(con, listed.within(marks)),
                *_versions(con),
                *_examples(con),
                *_orphans(con),
            ]

    try:
        return patiently(look)
    except Busy as busy:
        return [f"{database.path} is in use by {busy}: it could not be checked."]
    except Damaged as damage:
        return [f"{database.path}: {damage}."]
    except OSError as error:
        if is_shortage(error):
            raise
        return [f"{database.path} cannot be opened: {error}."]
    except (duckdb.Error, ValueError) as error:  # ValueError: bytes that are not text
        if is_shortage(error):
            raise
        return [f"{database.path} cannot be read to the end: {str(error).splitlines()[0]}."]


_FAULTS = (
    (
        "{are} missing, which segments and archive hold",
        "SELECT count(DISTINCT m._key) FROM met m ANTI JOIN here h ON h._key = m._key",
    ),
    (
        "{are} there that segments and archive do not hold",
        "SELECT count(*) FROM here h ANTI JOIN met m ON h._key = m._key",
    ),
    ("{are} there twice", "SELECT count(*) - count(DISTINCT _key) FROM here"),
    (
        "{have} other values than were recorded",
        "SELECT count(*) FROM here h SEMI JOIN met m USING (_key) ANTI JOIN met n USING (_content)",
    ),
)


def _compared(con: Connection, sources: Sources) -> Iterator[str]:
    """Every row beside what was recorded, by hashes over all its columns, and no key too few or too
    many.
    """
    import duckdb
    import pyarrow as pa

    try:
        _meet(con, sources)
    except (
        pa.ArrowException,
        OSError,
    ) as error:  # a Parquet file that was changed, say: its own finding says which
        if is_shortage(error):
            raise
        yield f"segments and archive cannot be read to the end: {str(error).splitlines()[0]}."
        return
    for table in TABLES:
        try:
            con.execute(f"CREATE TEMP TABLE here AS SELECT {_hashes(table, 't')} FROM {table} t")
        except duckdb.Error as error:
            if is_shortage(error):
                raise
            yield f"the table {table} cannot be read: {str(error).splitlines()[0]}"
            continue
        for fault, query in _FAULTS:
            found = con.execute(query.replace(" met ", f" met_{table} ")).fetchall()[0][0]
            if found:
                one = found == 1
                verbs = {"are": "is" if one else "are", "have": "has" if one else "have"}
                yield f"{count(found, 'row')} of {table} {fault.format(**verbs)}."
        con.execute("DROP TABLE here")


def unrecorded(con: Connection, sources: Sources) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """(table, rows) that the database alone holds, in portions."""
    _meet(con, sources)
    for table in TABLES:
        names = TABLES[table].names
        columns = ", ".join(f'"{name}"' for name in names)
        hashed = f"SELECT {columns}, {_hashes(table, 't')} FROM {table} t"
        con.execute(
            f"SELECT {columns} FROM ({hashed}) h ANTI JOIN met_{table} m ON h._key = m._key"
        )
        while rows := con.fetchmany(5_000):
            yield table, [dict(zip(names, row, strict=True)) for row in rows]


def _meet(con: Connection, sources: Sources) -> None:
    """Temporary tables `met_...`: the hashes of everything that segments and archive hold."""
    for table in TABLES:
        con.execute(f"CREATE TEMP TABLE met_{table} (_key UBIGINT, _content UBIGINT)")
    for table, rows in everything(sources.once()):
        con.register("fresh", rows)
        con.execute(f"INSERT INTO met_{table} SELECT {_hashes(table, 'f')} FROM fresh f")
        con.unregister("fresh")


def _hashes(table: str, row: str) -> str:
    keys = ", ".join(f'{row}."{name}"' for name in TABLES[table].key)
    columns = ", ".join(f'{row}."{name}"' for name in TABLES[table].names)
    return f"hash({keys}) AS _key, hash({columns}) AS _content"


def _each(con: Connection, query: str, fault: Callable[..., str | None]) -> Iterator[str]:
    """fault(*row) for every row, in portions."""
    con.execute(query)
    while rows := con.fetchmany(5_000):
        for row in rows:
            found = fault(*row)
            if found:
                yield found


def _versions(con: Connection) -> Iterator[str]:
    def fault(name: str, document: str | None) -> str | None:
        derived, unread = _derived(document, lambda read: PromptVersion.from_content(read).id)
        if unread is not None:
            return f"the version {name} cannot be read: {unread}"
        if derived != name and HIDDEN not in (document or ""):
            return f"the version {name} holds the content of {derived}: it was changed."
        return None

    return _each(con, "SELECT id, document FROM versions", fault)


def _examples(con: Connection) -> Iterator[str]:
    def fault(name: str, text: str | None, document: str | None) -> str | None:
        derived, unread = _derived(document, lambda read: Example.from_document(read).fingerprint)
        if unread is not None:
            return f"the example {name} cannot be read: {unread}"
        if derived != text and HIDDEN not in (document or ""):  # a secret was taken out
            return f"the example {name} no longer has its fingerprint {text}: it was changed."
        return None

    return _each(con, "SELECT example_id, example_fingerprint, document FROM examples", fault)


def _derived(
    document: str | None, identity: Callable[[Any], str]
) -> tuple[str | None, Exception | None]:
    """The identity that a stored document's content gives; what kept it from being read."""
    try:
        return identity(json.loads(document or "null")), None
    except (PromptOpsError, ValueError, TypeError, KeyError, AttributeError) as error:
        return None, error


def _orphans(con: Connection) -> Iterator[str]:
    """Rows that speak of a run which is not there; a score may be of a live call."""
    live = " AND NOT EXISTS (SELECT 1 FROM live l WHERE l.id = t.run_id)"
    for table, call in (("scores", live), ("study_runs", ""), ("attempts", "")):
        found = con.execute(
            f"SELECT count(*) FROM {table} t WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.id ="
            f" t.run_id){call}"
        ).fetchall()[0][0]
        if found:
            name = "names" if found == 1 else "name"
            yield f"{count(found, 'row')} of {table} {name} a run that is not recorded."
