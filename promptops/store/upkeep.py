"""A store's upkeep: moving what is finished to the archive, and removing what must not be kept from all places."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .archive import Batch, batches, discard, sweep, write_batch
from .connect import Busy
from .database import Database, one_at_a_time
from .locks import held, turn
from .mending import aside_of, build
from .merge import Sources, sources_of
from .purges import Doomed, Purged, doomed_by, hide, holds, keep_all_but, keep_of, reveal
from .segment import Segment, segments

__all__ = ["archive_sealed", "purge_rows", "statistics"]


def archive_sealed(folder: Path, merged: Mapping[str, int]) -> int:
    """Make one batch of all segments that have no writer left and are merged to their end; returns how many.

    Nothing is done where another process is at it, or the folder cannot be written.
    """
    try:
        with _alone(folder) as mine:
            if not mine:
                return 0
            sweep(folder)
            known = {name for batch in batches(folder) for name in batch.segments}
            sealed = [s for s in segments(folder) if merged.get(s.name, 0 if _stale(s) else -1) >= s.size and not held(s.path)]
            fresh = [segment for segment in sealed if segment.size and segment.name not in known]  # the others were left by a crash
            if fresh:
                write_batch(folder, fresh, keep_of(folder))
            for segment in sealed:
                segment.path.unlink(missing_ok=True)
            reveal(folder, {segment.name for segment in sealed})
            return len(sealed)
    except OSError:
        return 0


def _stale(segment: Segment) -> bool:
    """Whether an empty segment has been so for a while: its writer died before its first row."""
    try:
        return segment.size == 0 and time.time() - segment.path.stat().st_mtime > 60
    except FileNotFoundError:
        return False


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether this process is the only one that rewrites the archive."""
    with one_at_a_time(), turn(folder / "archive.lock", exclusive=True, wait_s=0.0) as mine:
        yield mine


def purge_rows(folder: Path, database: Database, wanted: tuple[Sequence[str], str | None, str | None]) -> Purged:
    """Remove rows from file, segments and archive. wanted: example ids, study, before; everything is merged already.

    Raises Busy where another program holds the file.
    """
    with database.reading() as con:
        doomed = doomed_by(con, *wanted)
        removed = doomed.counts(con)
    left = _cut(folder, doomed)
    database.replaced(lambda path: build(path, sources_of(folder)), aside=False)
    left += [f"{path} was set aside earlier and may hold such rows; delete it when nobody needs it." for path in aside_of(folder)]
    left.append(
        "files that were exported, reports and the registry are not the store's; the versions' texts and the datasets' names are kept."
    )
    return Purged(removed, tuple(left))


def _cut(folder: Path, doomed: Doomed) -> list[str]:
    """Take the rows out of archive and finished segments; returns what living writers still hold."""
    left = []
    with _alone(folder) as mine:
        if not mine:
            raise Busy("another promptops process, which writes the archive")
        sweep(folder)
        old = batches(folder)
        known = {name for batch in old for name in batch.segments}
        touched = [batch for batch in old if _touched(batch, doomed)]
        listed = segments(folder)
        sealed = [segment for segment in listed if not held(segment.path)]
        fresh = [segment for segment in sealed if segment.name not in known]
        if fresh or touched:
            write_batch(folder, fresh, keep_all_but(doomed), touched, doomed.rest)
        for batch in touched:
            discard(batch)
        for segment in sealed:
            segment.path.unlink(missing_ok=True)
        reveal(folder, {segment.name for segment in sealed})
        for segment in listed:
            count = holds(segment, doomed) if segment not in sealed else 0
            if count:
                hide(folder, segment, doomed)
                left.append(
                    f"{count:,} rows are hidden, but still in {segment.path}, which process {segment.writer} writes; purge again when it has ended."
                )
    return left


def _touched(batch: Batch, doomed: Doomed) -> bool:
    return any(len(doomed.rest(table, part)) < len(part) for table, part in batch.read())


def statistics(path: Path, sources: Sources) -> dict[str, Any]:
    """Sizes in bytes."""
    return {
        "file_bytes": path.stat().st_size if path.exists() else 0,
        "segments": len(sources.segments),
        "segment_bytes": sum(segment.size for segment in sources.segments),
        "pending_bytes": len(sources.pending[1]),
        "archive_batches": len(sources.batches),
        "archive_bytes": sum(_size(batch.folder) for batch in sources.batches),
    }


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
