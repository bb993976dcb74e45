"""The files of a store that rows arrive in: one segment per process, appended to by it alone,
locked while it lives.

A segment's name never returns with other bytes, and its bytes are never rewritten: name and offset
say what was read. Folder 0700, files 0600, never through a symlink.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import StoreError
from ..plain_file import open_plain
from .ends import leave_end
from .lines import SCHEMA, Scan, meta_line, scan
from .locks import held, keep, stopped

__all__ = [
    "SEGMENTS",
    "Piece",
    "SegmentFile",
    "finished",
    "make_folder",
    "raise_schema",
    "read_pieces",
    "remove_finished",
    "segment_name",
    "segment_path",
    "segments",
]

SEGMENTS = "segments"
SUFFIX = ".jsonl"
CHUNK = 8 << 20  # bytes that are read and merged at a time: memory stays flat
_STALE_S = 60.0  # an empty segment is younger than this while its writer is about to lock it
_IGNORE = "# promptops keeps its runs here; none of it belongs in git.\n*\n"


def make_folder(folder: Path) -> Path:
    """The store's folder with its own ignore file, and the folder of segments in it, which is
    returned.

    Raises StoreError if a newer release wrote the store; OSError if nothing can be made
    there.
    """
    where = folder / SEGMENTS
    if where.is_symlink():
        raise StoreError(
            f"{where} is a symlink, which may point anywhere; remove it, and promptops"
            " creates a folder."
        )
    if not where.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        where.mkdir(mode=0o700, exist_ok=True)
    form = folder / "SCHEMA"
    if not form.exists():
        for path, text in ((folder / ".gitignore", _IGNORE), (form, f"{SCHEMA}\n")):
            _write_once(path, text)
    check_schema(folder)
    raise_schema(folder)
    return where


def schema_of(folder: Path) -> int:
    """The schema that the store was last written in; ours where nothing says."""
    try:
        with open_plain(folder / "SCHEMA") as file:
            return int(file.read(100))
    except (OSError, ValueError):
        return SCHEMA


def check_schema(folder: Path) -> None:
    """Raises StoreError if the store is newer than this release."""
    found = schema_of(folder)
    if found > SCHEMA:
        raise StoreError(
            f"the store {folder} was written by a newer release (schema {found}, this one writes"
            f" {SCHEMA}); it can be read, not written: upgrade promptops-toolkit."
        )


def raise_schema(folder: Path) -> None:
    """Say that this release writes here, so that an older one reads and leaves the rest alone.

    Raises OSError if the folder cannot be written.
    """
    form = folder / "SCHEMA"
    if not form.exists() or schema_of(folder) >= SCHEMA:
        return
    temporary = folder / f".SCHEMA.{segment_name()}"
    try:
        _write_once(temporary, f"{SCHEMA}\n")
        os.replace(temporary, form)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _write_once(path: Path, text: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        handle = os.open(path, flags, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)


def _sync_names(folder: Path) -> None:
    """Make the names in a folder outlive a power cut: a file's own sync keeps its bytes, not its
    entry.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folder, and keeps names by itself
        return
    try:
        os.fsync(handle)
    except OSError:
        pass  # some network file systems refuse it for folders: their names are the server's
    finally:
        os.close(handle)


def segment_path(folder: Path, name: str) -> Path:
    """Where the segment of this name is, or would be."""
    return folder / SEGMENTS / f"{name}{SUFFIX}"


def segment_name() -> str:
    """A name that sorts by time and is never used twice."""
    return f"{time.time_ns():016x}-{os.getpid()}-{os.urandom(4).hex()}"


class SegmentFile:
    """This process's own segment, open for appending.

    lasting: its name is made to outlive a power cut before anything is written, which takes seconds
    on a busy disk. Otherwise the system writes it back in its own time, as it does bytes that are
    not synced.
    """

    def __init__(self, folder: Path, name: str, *, lasting: bool = True) -> None:
        self.name = name
        self.path = make_folder(folder) / f"{name}{SUFFIX}"
        self.fd = self._locked()
        while self.state()[1]:  # removed as a dead writer's before it was locked
            os.close(self.fd)
            self.fd = self._locked()
        for place in self.path.parents[:3] if lasting else ():  # once per segment, not once per row
            _sync_names(place)

    def _locked(self) -> int:
        flags = (
            os.O_RDWR
            | os.O_CREAT
            | os.O_EXCL
            | os.O_APPEND
            | getattr(os, "O_NOFOLLOW", 0)
            | getattr(os, "O_BINARY", 0)
        )
        fd = os.open(self.path, flags, 0o600)
        try:
            keep(fd)  # says that its writer lives
        except BaseException:  # the next try makes it again
            self.path.unlink(missing_ok=True)
            os.close(fd)
            raise
        return fd

    def state(self) -> tuple[int, bool]:
        """Its size, and whether it was removed under us: bytes written to it would be lost in
        silence.
        """
        found = os.fstat(self.fd)
        return found.st_size, found.st_nlink == 0

    def sync(self) -> None:
        """Make what was written outlive a power cut."""
        getattr(os, "fdatasync", os.fsync)(self.fd)

    def close(self) -> None:
        """Sync, note the last size, and let go. Twice is once."""
        if self.fd >= 0:
            size, gone = self.state()
            fd, self.fd = self.fd, -1
            try:
                os.fsync(fd)
            except OSError:
                # the disk's fault was reported at the write; nobody is left to hear it here
                pass
            finally:
                if size and not gone:
                    leave_end(self.path.parent.parent, self.name, size)
                os.close(fd)

    @staticmethod
    def first_line() -> bytes:
        """Who writes: the line that a segment begins with."""
        return meta_line(pid=os.getpid(), host=socket.gethostname(), started_at_ns=time.time_ns())


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment as it is on the disk."""

    name: str
    path: Path
    size: int

    @property
    def writer(self) -> str:
        """The process id of who made it, from its name."""
        return self.name.split("-")[1] if self.name.count("-") == 2 else "unknown"


def segments(folder: Path) -> list[Segment]:
    """All segments, oldest first. A store without a folder has none."""
    found = []
    try:
        with os.scandir(folder / SEGMENTS) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX) and entry.is_file(follow_symlinks=False):
                    found.append(
                        Segment(
                            entry.name[: -len(SUFFIX)],
                            Path(entry.path),
                            entry.stat(follow_symlinks=False).st_size,
                        )
                    )
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(found, key=lambda segment: segment.name)


def finished(folder: Path) -> list[Segment]:
    """The segments whose writer has ended, each with the size that it will always have; oldest
    first.
    """
    found = []
    for segment in segments(folder):
        with stopped(segment.path) as facts:
            if facts is not None and (facts.st_size or time.time() - facts.st_mtime > _STALE_S):
                found.append(replace(segment, size=facts.st_size))
    return found


def remove_finished(segment: Segment) -> bool:
    """Remove a segment whose bytes are kept elsewhere.

    It stays, and the answer is False, if it has a writer or another size by now.
    """
    with stopped(segment.path) as facts:
        if facts is None or facts.st_size != segment.size:
            return False
        segment.path.unlink(missing_ok=True)
    return True


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a segment from `start` to `start + scan.end`, with its records found."""

    segment: str
    start: int
    data: bytes
    scan: Scan

    @property
    def end(self) -> int:
        return self.start + self.scan.end


def read_pieces(segment: Segment, start: int, pending: bytes = b"") -> Iterator[Piece]:
    """The records from `start` on, CHUNK bytes or one record at a time.

    pending: what the writer, who is this process, could not write yet; it follows the file's bytes.
    A torn tail is waited for while its writer lives, and damage once it is gone. Raises
    FileNotFoundError.
    """
    size = segment.size + len(pending)
    want = CHUNK
    while start < size:
        data = _bytes(segment, start, want, pending)
        whole = start + len(data) >= size
        found = scan(data)
        if (
            found.end < len(data)
            and whole
            and not pending
            and not held(segment.path)
            and not _grown(segment)
        ):
            found = scan(data, last=True)
        if found.end:
            yield Piece(segment.name, start, data, found)
            start, want = start + found.end, CHUNK
        elif whole or not data:
            return
        else:
            want *= 2  # one record is longer than what was read


def _grown(segment: Segment) -> bool:
    """Whether its writer finished the record, and perhaps itself, since the segment was listed."""
    return segment.path.stat().st_size != segment.size


def _bytes(segment: Segment, start: int, want: int, pending: bytes) -> bytes:
    data = b""
    if start < segment.size:
        with open_plain(segment.path) as file:
            file.seek(start)
            data = file.read(min(want, segment.size - start))
    skip = max(0, start - segment.size)
    return data + pending[skip : skip + want - len(data)]
