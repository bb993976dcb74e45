"""A store's upkeep: moving what is finished to the archive, and removing what must not be kept from
all places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..markup import count
from ..spool.ends import ends_of, forget_ends
from ..spool.segment import Segment, finished, remove_finished, segments
from .archive import Batch, alone, batches, discard, marks_of, sweep, write_batch
from .connect import Busy
from .database import Database
from .hidden import drop_hidden
from .merge_segments import Sources, merge, sources_of
from .patience import PATIENT_S, patiently
from .purges import Doomed, Purged, hide, holds, keep_all_but, keep_of
from .repair import aside_of, build
from .scratch import living_scratch

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Connection

__all__ = ["archive_sealed", "purge_rows", "statistics"]


def archive_sealed(folder: Path, merged: Mapping[str, int]) -> int:
    """Make one batch of all segments that have no writer left and are merged to their end; returns
    how many.

    Nothing is done where another process is at it, or the folder cannot be written.
    """
    try:
        with alone(folder) as mine:
            if not mine:
                return 0
            sweep(folder)
            known = marks_of(batches(folder))
            sealed = [
                segment
                for segment in finished(folder)
                if merged.get(segment.name, 0) == segment.size
            ]
            fresh = _unknown(sealed, known)
            if fresh:
                write_batch(folder, fresh, keep_of(folder))
            return len(_removed(folder, sealed))
    except OSError:
        return 0


def _unknown(sealed: Sequence[Segment], known: Mapping[str, int]) -> list[Segment]:
    """Those with bytes that no batch holds; the others were left by an archiver that died."""
    return [segment for segment in sealed if segment.size > known.get(segment.name, 0)]


def _removed(folder: Path, sealed: Sequence[Segment]) -> set[str]:
    """Remove segments that a batch holds now; the names of those that are gone."""
    gone = {segment.name for segment in sealed if remove_finished(segment)}
    drop_hidden(folder, gone)
    kept = marks_of(batches(folder))
    ends = ends_of(folder)
    forget_ends(folder, {name: size for name, size in ends.items() if kept.get(name, 0) >= size})
    return gone


def purge_rows(
    folder: Path,
    database: Database,
    find: Callable[[Connection], Doomed],
    announce: Callable[[Doomed], object] | None = None,
    beyond: Callable[[Doomed], Purged] = lambda _doomed: Purged(),
) -> Purged:
    """Remove rows from file, segments and archive. find: the doomed, of a connection that sees
    everything; announce: hears of them before any row goes, and what it raises leaves all rows
    if they are; without it, nothing is rewritten where no row is doomed. beyond: what is done
    elsewhere before they go, and what is left there.

    What others record from here on is new, and stays. Raises Busy if another program holds the
    file.
    """

    def look() -> tuple[Doomed, Mapping[str, int], Mapping[str, int]]:
        there = sources_of(folder)
        if there.beyond(database.covered):
            # a member's batch that came just now: of a run that `find` does not see, only the rows
            # would go that name the example itself
            with database.writing() as con:
                merge(con, there)
        with database.reading() as con:
            doomed = find(con)
            return doomed, doomed.counts(con), dict(database.covered)

    with alone(folder, PATIENT_S) as mine:
        if not mine:
            raise Busy("another promptops process, which writes the archive")
        doomed, removed, merged = patiently(look)
        if announce is not None:
            announce(doomed)
        elsewhere = beyond(doomed)
        if announce is None and not removed:
            return elsewhere
        left = [*elsewhere.left, *_cut(folder, doomed, merged)]
        patiently(
            lambda: database.replaced(lambda path: build(path, sources_of(folder)), aside=False)
        )
    left += [
        f"{path} was set aside earlier and may hold such rows; delete it when nobody needs it."
        for path in aside_of(folder)
    ]
    left += [
        f"{path} is what process {path.name.split('-')[1]} reads in the file's place, and may hold"
        " such rows until it ends or reads again; delete it then."
        for path in living_scratch(folder)
    ]
    left.append(
        "files that were exported, reports and the registry are not the store's; the versions'"
        " texts and the datasets' names are kept."
    )
    return Purged(removed, tuple(left), elsewhere.owed)


def _cut(folder: Path, doomed: Doomed, merged: Mapping[str, int]) -> list[str]:
    """Take the rows out of archive and finished segments; returns what living writers still
    hold.
    """
    left = []
    sweep(folder)
    old = batches(folder)
    touched = [batch for batch in old if _touched(batch, doomed)]
    sealed = finished(folder)
    fresh = _unknown(sealed, marks_of(old))
    if fresh or touched:
        write_batch(
            folder, fresh, keep_all_but(doomed, merged, keep_of(folder)), touched, doomed.rest
        )
    for batch in touched:
        discard(batch)
    _removed(folder, sealed)
    for standing in segments(folder):
        searched = replace(standing, size=min(standing.size, merged.get(standing.name, 0)))
        hidden = holds(searched, doomed)
        if hidden:
            hide(folder, searched, doomed)
            left.append(
                f"{count(hidden, 'row')} {'is' if hidden == 1 else 'are'} hidden, but still in"
                f" {standing.path}, which process {standing.writer} writes; purge again when it has"
                " ended."
            )
    return left


def _touched(batch: Batch, doomed: Doomed) -> bool:
    return any(len(doomed.rest(table, part)) < len(part) for table, part in batch.read())


def statistics(path: Path, sources: Sources) -> dict[str, object]:
    """Sizes in bytes."""
    return {
        "file_bytes": _size(path),
        "segments": len(sources.segments),
        "segment_bytes": sum(segment.size for segment in sources.segments),
        "pending_bytes": len(sources.pending[1]),
        "archive_batches": len(sources.batches),
        "archive_bytes": sum(
            _size(part) for batch in sources.batches for part in batch.folder.glob("*")
        ),
    }


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # a batch was rewritten since it was listed
        return 0
