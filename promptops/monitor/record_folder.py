"""Removing purged rows from the folder that an application records to, which is not the store's own
and may be read by others.

A segment of an application that lives is not touched: its rows go with the purge after its end,
which comes after an hour of calls or 16 MB at the latest.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path

from ..spool.ends import forget_ends
from ..spool.lines import record
from ..spool.segment import (
    Segment,
    SegmentFile,
    finished,
    read_pieces,
    remove_finished,
    segment_name,
    segments,
)
from ..store.arrow_rows import documents_of
from ..store.purges import Doomed, Named, holds, keep_all_but

__all__ = ["cut_folder"]


def cut_folder(folder: Path, purges: Sequence[tuple[Named, Collection[str]]]) -> list[str]:
    """Remove purged rows from the folder's finished segments; one sentence for each segment that
    still holds some.

    What stays of a segment is written as another, before the one is removed: rows that are read
    twice count once.

    Args:
        folder: that an application records to.
        purges: what was named, and ids that are known to be meant. Live rows are looked for by
            both: a store no longer knows what it has removed.
    """
    doomed = _doomed(folder, purges)
    if not doomed:
        return []
    left = []
    ended = {segment.name: segment for segment in finished(folder)}
    for segment in segments(folder):
        count = holds(ended.get(segment.name, segment), doomed)
        if not count:
            continue
        if segment.name not in ended:
            left.append(
                f"{count:,} live rows are still in {segment.path}, which process {segment.writer}"
                " writes; purge again when it has begun another."
            )
            continue
        try:
            _rewritten(folder, ended[segment.name], doomed)
        except OSError as error:
            why = error.strerror or error
            left.append(f"{segment.path} still holds such rows, and cannot be changed: {why}.")
    return left


def _doomed(folder: Path, purges: Sequence[tuple[Named, Collection[str]]]) -> Doomed:
    runs = {run for _, ids in purges for run in ids}
    for segment in segments(folder) if purges else ():
        for piece in read_pieces(segment, 0):
            calls = [json.loads(row) for table, _, row in documents_of(piece) if table == "live"]
            runs.update(
                run for named, _ in purges for call in calls for run in named.runs_in("live", call)
            )
    return Doomed(frozenset(runs))


def _rewritten(folder: Path, segment: Segment, doomed: Doomed) -> None:
    keep = keep_all_but(doomed, {segment.name: segment.size}, None)
    rest = [
        record(table, row)
        for piece in read_pieces(segment, 0)
        for table, at, row in documents_of(piece)
        if keep(piece.segment, at, table, row)
    ]
    if rest:
        other = SegmentFile(folder, segment_name())
        try:
            with open(other.fd, "wb", closefd=False) as file:
                file.write(b"".join([other.first_line(), *rest]))
        except OSError:
            other.path.unlink(missing_ok=True)
            raise
        finally:
            other.close()
    if remove_finished(segment):
        forget_ends(folder, {segment.name: segment.size})
