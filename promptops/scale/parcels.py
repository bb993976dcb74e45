"""Taking a parcel of a team's store apart: fetched whole or not at all, without the rows that were
purged before it came.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import StoreError
from ..spool.segment import SEGMENTS, SUFFIX, Segment, read_pieces
from ..store.archive import ARCHIVE, Batch, write_batch
from ..store.arrow_rows import documents_of
from ..store.manifest import Unreadable
from ..store.purges import Doomed, holds, keep_all_but
from ..store.team import Tombstone
from .shared_files import SharedFiles
from .team_layout import Parcel, segment_file

__all__ = [
    "Fetched",
    "digest_of",
    "fetched",
    "lacks_some_of",
    "put_batch",
    "put_segment",
    "rewritten",
    "shared_name",
]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A parcel on this machine: its segment, or its batch."""

    parcel: Parcel
    content: Segment | Batch


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, in hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetched(files: SharedFiles, parcel: Parcel, folder: Path) -> Fetched:
    """The parcel in a folder that is laid out as a store's.

    Raises FileNotFoundError if it is gone, StoreError if it is not what its name says: torn,
    or damaged on the way.
    """
    if not parcel.is_batch:
        ((name, size),) = parcel.marks.items()
        (folder / SEGMENTS).mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / SEGMENTS / f"{name}{SUFFIX}"
        files.fetch(parcel.name, path)
        if path.stat().st_size != size or digest_of(path)[: len(parcel.hash)] != parcel.hash:
            path.unlink()
            raise StoreError(_torn(files, parcel))
        return Fetched(parcel, Segment(name, path, size))
    place = folder / ARCHIVE / parcel.name.split("/")[2]
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in parcel.files:
        files.fetch(name, place / name.rpartition("/")[2])
    try:
        batch = Batch.of(place)
        sound = not batch.damaged()
    except (Unreadable, FileNotFoundError):
        sound = False
    if not sound:
        shutil.rmtree(place)
        raise StoreError(_torn(files, parcel))
    return Fetched(parcel, batch)


def _torn(files: SharedFiles, parcel: Parcel) -> str:
    return (
        f"{parcel.name} in the team's store {files.address} is not what its name says, torn or"
        " damaged; it is left out. Remove it there: a member that holds its rows shares them again."
    )


def rewritten(
    found: Sequence[Fetched], stones: Sequence[Tombstone], folder: Path
) -> dict[str, Batch]:
    """parcel's name -> a batch of its rows without those that the purges name, of the parcels that
    hold such rows. folder: where the batches are written, laid out as a store's.
    """
    if not stones:
        return {}
    doomed = Doomed(
        frozenset().union(*(stone.runs for stone in stones), _runs_in(found, stones)),
        frozenset(example for stone in stones for example in stone.named.examples),
        frozenset(stone.named.study for stone in stones if stone.named.study),
    )
    out = {}
    for each in found:
        if isinstance(each.content, Segment):
            if holds(each.content, doomed):
                keep = keep_all_but(doomed, {each.content.name: each.content.size}, None)
                out[each.parcel.name] = write_batch(folder, [each.content], keep)
        elif any(len(doomed.rest(table, rows)) < len(rows) for table, rows in each.content.read()):
            out[each.parcel.name] = write_batch(folder, [], extra=[each.content], rest=doomed.rest)
    return out


def _runs_in(found: Sequence[Fetched], stones: Sequence[Tombstone]) -> frozenset[str]:
    return frozenset(
        run
        for each in found
        for table, row in _rows(each.content)
        for stone in stones
        for run in stone.named.runs_in(table, row)
    )


def _rows(content: Segment | Batch) -> Iterator[tuple[str, Mapping[str, object]]]:
    if isinstance(content, Segment):
        for piece in read_pieces(content, 0):
            for table, _, row in documents_of(piece):
                if table in ("runs", "study_runs", "live"):
                    yield table, json.loads(row)
        return
    for table, rows in content.read():
        if table in ("runs", "study_runs", "live"):
            columns = [name for name in _NAMED if name in rows.column_names]
            yield from ((table, row) for row in rows.select(columns).to_pylist())


_NAMED = ("id", "run_id", "example_id", "response_id", "started_at")


def lacks_some_of(batch: Batch, listed: Mapping[str, Mapping[str, int]], parcel: Parcel) -> bool:
    """Whether a parcel is this batch, and files of it are not there, or not whole."""
    where, _, manifest = parcel.name.rpartition("/")
    if not parcel.is_batch or where.rpartition("/")[2] != batch.folder.name:
        return False
    sizes = listed[f"{where}/{manifest}"]
    return any(
        sizes.get(f"{where}/{name}") != (batch.folder / name).stat().st_size
        for name in batch.hashes
    )


def shared_name(member: str, content: Segment | Batch) -> str:
    """The name that a finished segment, or a batch's manifest, has in the shared folder."""
    if isinstance(content, Batch):
        return f"batches/{member}/{content.folder.name}/manifest.json"
    return segment_file(member, content.name, content.size, digest_of(content.path))


def put_segment(files: SharedFiles, member: str, segment: Segment, name: str = "") -> None:
    """Hand over a finished segment. name: that it has there, if it is known already."""
    files.put(segment.path, name or shared_name(member, segment))


def put_batch(files: SharedFiles, name: str, batch: Batch) -> None:
    """Hand over a batch under the name of its manifest there, which arrives last."""
    where = name.rpartition("/")[0]
    for file in sorted(os.listdir(batch.folder)):
        if file != "manifest.json":
            files.put(batch.folder / file, f"{where}/{file}")
    files.put(batch.folder / "manifest.json", name)
