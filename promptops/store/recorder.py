"""Recording: `append` returns when the bytes are the kernel's, so that killing this process loses
nothing acknowledged.

Threads that append at once share one write (group commit); a background thread syncs to the disk
within 50 ms. A full disk or a folder that is gone never costs a result: rows wait in memory, a
warning says so, and they are written, the same bytes in the same order, when it works again. A
forked child writes a segment of its own.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path

from ..errors import StoreError
from ..spool.ends import leave_end
from ..spool.segment import SegmentFile, check_schema, segment_name

__all__ = ["Spool", "outside", "say"]

SYNC_S = 0.02  # a group waits so long for others before it is synced; a sync itself may take 30 ms
RETRY_S = 0.5
_IDLE_S = 2.0  # the background thread ends when there was nothing to sync for so long
ROTATE = 64 << 20  # bytes after which a new segment begins, so that the old one can be archived
_WRITE = 8 << 20  # bytes a write


def outside() -> int:
    """The stacklevel at which a warning of the caller's points to the code that called
    promptops.
    """
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in (
        "promptops",
        "contextlib",
    ):
        level, frame = level + 1, frame.f_back
    return level


def say(text: str, category: type[Warning] = RuntimeWarning) -> None:
    """Warn, and never raise: where warnings are errors the log has it, since neither a result nor
    the report of a step that is made must be lost to a warning.
    """
    try:
        warnings.warn(text, category, stacklevel=outside())
    except Warning:
        logging.getLogger("promptops.store").error(text)


class Spool:
    """The writing end of a store. Nothing is opened or started before the first `append`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._hooked = False
        self._reset()

    def _reset(self) -> None:
        self._queueing = threading.Lock()  # guards what waits: held for moments only
        self._writing = threading.Lock()  # held by the thread that writes for all who wait
        self._syncing = threading.Lock()  # taken while a copy of the descriptor is open
        self._segment: SegmentFile | None = None
        self._closing: weakref.finalize[..., Spool] | None = (
            None  # also closes it when the spool or the process ends
        )
        self._name = ""
        self._size = 0  # bytes of the segment that are written
        self._pending = bytearray()  # bytes that follow them
        self._failing = ""
        self._dirty = threading.Event()
        self._syncer: threading.Thread | None = None
        self._checked = False

    def append(self, lines: bytes) -> None:
        """Write whole lines. Returns when they are written, or kept in memory if they cannot be
        (a warning says so).

        Raises StoreError if the store is newer than this release.
        """
        if not self._checked:
            check_schema(self._folder)
            self._checked = True
        with self._queueing:
            if not self._name:
                self._hook()
                self._name = segment_name()
                self._pending += SegmentFile.first_line()
            self._pending += lines
        with self._writing:
            if self._pending:  # else another thread wrote these lines with its own
                self._drain()
                if self._size > ROTATE:
                    self._rotate()
        self._wake()

    @property
    def own(self) -> tuple[str, int, bytes]:
        """Name of the segment, its written size, and what waits in memory behind that."""
        with self._queueing:
            return self._name, self._size, bytes(self._pending)

    def flush(self) -> None:
        """Write and sync now. Raises StoreError if rows still wait in memory."""
        with self._writing:
            if self._pending:
                self._drain()
            if self._segment is not None:
                self._segment.sync()
        if self._pending:
            raise StoreError(
                f"{len(self._pending):,} bytes of rows cannot be written to {self._folder}:"
                f" {self._failing}."
            )

    def restore(self) -> None:
        """Write the segment's rows again where its file was removed, so that they can be read; in
        memory if that cannot be.
        """
        with self._writing:
            if self._segment is not None and self._segment.state()[1]:
                try:
                    self._opened()
                except OSError as error:
                    self._fails(error)
                self._drain()

    def seal(self) -> None:
        """Sync and end this segment; the next append begins another.

        Rows that wait in memory keep it open.
        """
        with self._writing:
            if self._pending:
                self._drain()
            self._rotate()

    # -- writing, by the one thread that holds `_writing`

    def _drain(self) -> None:
        while self._pending:
            try:
                segment = self._opened()  # first: it may change what is pending
                with self._queueing:
                    chunk = bytes(memoryview(self._pending)[:_WRITE])
                count = os.write(segment.fd, chunk)
            except StoreError:
                raise
            except OSError as error:
                self._fails(error)
                return
            if not self._size:  # that there were rows is known even if the segment is emptied
                leave_end(self._folder, self._name, count)
            self._note(count)
        if self._failing:
            self._failing = ""
            say(
                f"recording to {self._folder} works again; every row that waited in memory is"
                " written."
            )

    def _note(self, count: int) -> None:
        """`count` bytes were written.

        After a short write the rest follows: no other bytes ever come between.
        """
        with self._queueing:
            del self._pending[:count]
            self._size += count

    def _opened(self) -> SegmentFile:
        """The segment, opened if it is not, made again if it was removed."""
        if self._segment is not None:
            size, gone = self._segment.state()
            if size > self._size:  # an interrupt fell between a write and its bookkeeping
                self._note(size - self._size)
            if gone:
                self._rescue(self._segment)
        if self._segment is None:
            self._segment = SegmentFile(self._folder, self._name)
            self._closing = weakref.finalize(self, SegmentFile.close, self._segment)
        return self._segment

    def _rescue(self, lost: SegmentFile) -> None:
        """The file was removed, not its bytes: they are written once more, under the same name."""
        with self._queueing:
            self._pending[:0] = os.pread(lost.fd, self._size, 0)
            self._size = 0
        self._let_go()
        say(
            f"the folder {self._folder} was removed while it was recorded to; this process writes"
            " its rows there again."
        )

    def _fails(self, error: OSError) -> None:
        what = f"{type(error).__name__}: {error.strerror or error}"
        if not self._failing:
            say(
                f"recording to {self._folder} fails ({what}): rows are kept in memory, and written"
                " as soon as it works again."
            )
        self._failing = what

    def _rotate(self) -> None:
        with self._queueing:
            if self._pending:  # some thread queued meanwhile, for this segment
                return
            self._name, self._size = "", 0
        # a copy of the descriptor keeps the segment as a living writer does: a share or an
        # archive would leave these rows out without a word
        with self._syncing:
            self._let_go()

    def _let_go(self) -> None:
        if self._closing is not None:
            self._closing()  # closes the file, once
        self._segment = self._closing = None

    # -- in the background

    def _wake(self) -> None:
        self._dirty.set()
        with self._queueing:
            if self._syncer is None or not self._syncer.is_alive():
                self._syncer = threading.Thread(
                    target=self._sync, name="promptops-sync", daemon=True
                )
                self._syncer.start()

    def _sync(self) -> None:
        while True:
            if not self._dirty.wait(_IDLE_S):
                with self._queueing:
                    if (
                        not self._dirty.is_set()
                    ):  # else a group came just now, which counts on this thread
                        self._syncer = None
                        return
            time.sleep(RETRY_S if self._failing else SYNC_S)
            self._dirty.clear()
            try:
                with self._writing:
                    if self._pending:
                        self._drain()
                    if self._pending:
                        self._dirty.set()
                    segment = self._segment
                    fd = os.dup(segment.fd) if segment is not None and segment.fd >= 0 else -1
                    if fd >= 0:
                        self._syncing.acquire()
                if fd >= 0:
                    try:  # outside the lock: writers go on while the disk works
                        getattr(os, "fdatasync", os.fsync)(fd)
                    finally:
                        os.close(fd)
                        self._syncing.release()
            except OSError as error:
                self._fails(error)

    # -- forks

    def _hook(self) -> None:
        if not self._hooked and hasattr(os, "register_at_fork"):
            self._hooked = True
            after = weakref.WeakMethod(self._begin_in_child)
            os.register_at_fork(after_in_child=lambda: _forked(after))

    def _begin_in_child(self) -> None:
        """The parent's segment, and what waits in its memory, stay the parent's."""
        segment = self._segment
        self._reset()
        if segment is not None and segment.fd >= 0:
            os.close(segment.fd)
            segment.fd = -1


def _forked(method: weakref.WeakMethod[Callable[[], None]]) -> None:
    begin = method()
    if begin is not None:
        begin()
