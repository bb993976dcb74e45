"""The permanent archive: finished segments as compressed Parquet, one folder per batch, each file
with its hash.

A batch appears whole or not at all (one rename), and only then are its segments removed: at every
moment each row is in a segment, in a batch, or in both.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..plain_file import is_odd
from ..spool.locks import turn
from ..spool.segment import Segment, read_pieces, segment_name
from .arrow_rows import ArrowRows, Keep, named_today
from .database import one_at_a_time
from .links import LINK, own_folder
from .manifest import (
    MANIFEST,
    Manifest,
    Unreadable,
    hash_of,
    read_manifest,
    remade,
    written,
)
from .schema import FORMER, TABLES
from .shortage import is_shortage
from .sitting import if_nobody_else

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "ARCHIVE",
    "Batch",
    "alone",
    "batches",
    "discard",
    "look",
    "marks_of",
    "recover",
    "settled",
    "sweep",
    "write_batch",
]

ARCHIVE = "archive"
_WRITING = ".writing-"
_ROWS = 20_000  # rows that are read at a time
_GROUP_BYTES = 1 << 20  # of rows that are written at a time, or more

Rest = Callable[[str, object], Any]  # (table, pyarrow table) -> the rows that are kept


@dataclass(frozen=True, slots=True)
class Batch(Manifest):
    """A folder of the archive, and what its manifest says."""

    folder: Path = field(kw_only=True)

    @classmethod
    def of(cls, folder: Path) -> Batch:
        """Raises Unreadable, or FileNotFoundError if it has no manifest."""
        found = read_manifest(folder)
        if odd := [name for name in found.hashes if is_odd(folder / name)]:
            raise Unreadable(f"{odd[0]} is not a file")
        return cls(found.segments, found.rows, found.hashes, found.dropped, folder=folder)

    def read(self) -> Iterator[tuple[str, pa.Table]]:
        """(table, pyarrow table) of some thousand rows each."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        for table in self.rows:
            if table in TABLES:
                names = {*TABLES[table].names, *FORMER.get(table, {})}
                with pq.ParquetFile(
                    self.folder / f"{table}.parquet", page_checksum_verification=True
                ) as file:
                    known = [name for name in file.schema_arrow.names if name in names]
                    for part in file.iter_batches(_ROWS, columns=known):
                        yield table, named_today(table, pa.Table.from_batches([part]))

    def damaged(self) -> list[str]:
        """Names of the files that are missing or no longer have their hash.

        None of a batch that was discarded meanwhile.
        """
        bad = [
            name for name, digest in self.hashes.items() if hash_of(self.folder / name) != digest
        ]
        return bad if self.stands() else []

    def stands(self) -> bool:
        """Whether it is still a batch; a purge rewrites those that it touches into another."""
        return (self.folder / MANIFEST).exists()


def batches(folder: Path) -> list[Batch]:
    """All batches that can be read, oldest first."""
    return look(folder)[0]


def look(folder: Path) -> tuple[list[Batch], dict[Path, str]]:
    """All batches, oldest first; and folders whose manifest cannot be read, with the reason."""
    found: list[Batch] = []
    faults: dict[Path, str] = {}
    where = folder / ARCHIVE
    if where.is_symlink():
        return [], {where: LINK}
    try:
        names = sorted(name for name in os.listdir(where) if not name.startswith(_WRITING))
    except (FileNotFoundError, NotADirectoryError):
        return [], {}
    for name in names:
        if (where / name).is_symlink():
            faults[where / name] = LINK
            continue
        try:
            found.append(Batch.of(where / name))
        except FileNotFoundError:
            if (where / name).is_dir():  # else it was discarded meanwhile, or is not a folder
                faults[where / name] = f"its {MANIFEST} is missing"
        except Unreadable as fault:
            faults[where / name] = f"its {MANIFEST} does not read ({fault})"
    return found, faults


def marks_of(listed: Iterable[Batch]) -> dict[str, int]:
    """segment -> bytes of it that the batches hold."""
    marks: dict[str, int] = {}
    for batch in listed:
        for name, size in batch.segments.items():
            marks[name] = max(size, marks.get(name, 0))
    return marks


@contextmanager
def alone(folder: Path, wait_s: float = 0.0) -> Iterator[bool]:
    """Whether this process is the only one that may add or remove files of segments and archive.

    Do not nest it: the end of the inner block would release the lock of the outer one. Raises
    OSError if the lock file cannot be made.
    """
    with one_at_a_time(), turn(folder / "archive.lock", exclusive=True, wait_s=wait_s) as mine:
        yield mine


def settled(folder: Path) -> bool:
    """Whether surely nobody is within `alone` at this moment. It waits for a moment only, so that
    it may be asked by who holds what those within it wait for. Raises OSError as `alone` does.
    """
    with if_nobody_else() as quiet:
        if not quiet:
            return False
        with turn(folder / "archive.lock", exclusive=True, wait_s=0.0) as mine:
            return mine


def write_batch(
    folder: Path,
    sealed: Sequence[Segment],
    keep: Keep | None = None,
    extra: Sequence[Batch] = (),
    rest: Rest | None = None,
) -> Batch:
    """Make one batch of finished segments, and of the batches in `extra`.

    keep, rest: what goes in of segments and of batches. Raises OSError if the disk is full; then
        nothing has changed.
    """
    place = own_folder(folder / ARCHIVE) / f"{_WRITING}{segment_name()}"
    place.mkdir(mode=0o700)
    try:
        with _Files(place) as files:
            for table, part in _parts(sealed, keep, files):
                files.write(table, part)
            for table, part in (found for batch in extra for found in batch.read()):
                part = part if rest is None else rest(table, part)
                if len(part):
                    files.write(table, part)
        marks = {name: size for batch in extra for name, size in batch.segments.items()} | {
            s.name: s.size for s in sealed
        }
        dropped = files.dropped + sum(batch.dropped for batch in extra)
        hashes = {f"{table}.parquet": _synced(place / f"{table}.parquet") for table in files.rows}
        manifest = Manifest(marks, dict(files.rows), hashes, dropped)
        (place / MANIFEST).write_text(manifest.text(), encoding="utf-8")
        _synced(place / MANIFEST)
        final = folder / ARCHIVE / segment_name()
        os.rename(place, final)
        _sync_folder(folder / ARCHIVE)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return Batch(marks, dict(files.rows), hashes, dropped, folder=final)


def sweep(folder: Path) -> None:
    """Remove what archivers that died left half written; nobody else may be writing."""
    for place in (folder / ARCHIVE).glob(f"{_WRITING}*"):
        shutil.rmtree(place, ignore_errors=True)


def discard(batch: Batch) -> None:
    """Remove a batch whose rows are in another."""
    gone = batch.folder.with_name(f"{_WRITING}{batch.folder.name}")
    os.rename(batch.folder, gone)  # at once: a folder without its manifest is a damaged batch
    shutil.rmtree(gone, ignore_errors=True)


def recover(batch: Path, aside: Path) -> str:
    """Make the manifest of a batch again from the files beside it, and keep the old one in `aside`;
    where they do not read, move the whole batch there. Returns what was done. Raises OSError.
    """
    import pyarrow as pa

    own_folder(aside)
    try:
        if batch.is_symlink():
            raise OSError(LINK)
        text = remade(batch).text()
    except (OSError, pa.ArrowException) as error:
        if is_shortage(error):
            raise
        os.rename(batch, aside / f"archive-{batch.name}")
        return f"set aside {aside / f'archive-{batch.name}'}"
    if os.path.lexists(batch / MANIFEST):
        os.rename(batch / MANIFEST, aside / f"{batch.name}-{MANIFEST}")
    written(batch / MANIFEST, text)
    return f"wrote {batch / MANIFEST} again, from the files beside it"


class _Files:
    """One Parquet writer per table, opened with its first rows. Rows of small segments wait until
    they are worth a group of rows: each group takes a millisecond and memory until the end.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._writers: dict[str, pa.parquet.ParquetWriter] = {}
        self._waiting: dict[str, list[pa.Table]] = {}
        self._bytes: Counter[str] = Counter()  # of those that wait
        self.rows: dict[str, int] = {}
        self.dropped = 0

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, error: object, *_: object) -> None:
        try:
            for table in [*self._waiting] if error is None else []:
                self._write_group(table)
        finally:
            for writer in self._writers.values():
                writer.close()

    def write(self, table: str, part: pa.Table) -> None:
        self._waiting.setdefault(table, []).append(part)
        self._bytes[table] += part.nbytes
        self.rows[table] = self.rows.get(table, 0) + len(part)
        if self._bytes[table] >= _GROUP_BYTES:
            self._write_group(table)

    def _write_group(self, table: str) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if table not in self._writers:
            path = self._place / f"{table}.parquet"
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            self._writers[table] = pq.ParquetWriter(
                path, TABLES[table].arrow(), compression="zstd", write_page_checksum=True
            )
        self._writers[table].write_table(pa.concat_tables(self._waiting.pop(table)))
        del self._bytes[table]


def _parts(
    sealed: Sequence[Segment], keep: Keep | None, files: _Files
) -> Iterator[tuple[str, object]]:
    import pyarrow as pa

    for segment in sealed:
        for piece in read_pieces(segment, 0):
            files.dropped += len(piece.scan.damage)
            rows = ArrowRows()
            rows.add(piece, keep)
            yield from ((table, part) for table, part in rows.tables() if len(part))
            files.dropped += rows.wrong
            del rows
            for pool in (pa.system_memory_pool(), pa.default_memory_pool()):
                pool.release_unused()  # else each piece may take new memory of the system


def _synced(path: Path) -> str:
    """The file's hash, once its bytes are on the disk and only its owner may read them."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    os.chmod(path, 0o600)
    return hash_of(path)


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
