"""Handing rows over to a thread that writes them: `put` never waits and never raises.

- A bounded queue: what does not fit is dropped and counted. After a flush, rows put = rows stored +
  rows dropped + rows that still wait, exactly.
- One daemon thread, woken by each row, so that a process that is killed loses the row it was at.
- A sink that fails is tried again; leaving the process waits for it two seconds at most.
- A forked child begins with an empty queue, a thread and a segment of its own: the parent's rows
  stay the parent's. A child of multiprocessing, which runs no exit handler, waits the same way.
"""

from __future__ import annotations

import atexit
import logging
import os
import queue as queues
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol

from ..run import new_id, utc

if TYPE_CHECKING:
    from .row_writer import RowWriter

__all__ = ["LIMIT", "Item", "LiveQueue", "Sink", "AtomicCounter"]

_LOG = logging.getLogger("promptops.observe")
LIMIT = 10_000  # rows that wait; of ~1 kB each
CHARS = 8_000_000  # characters of kept content that wait, up to 4 bytes each
BATCH = 500
RETRY_S = 0.5
EXIT_S = 1.5
Row = dict[str, object]
# table, row or what makes it in the writing thread, characters of its kept content
Item = tuple[str, "Row | Callable[[], Row]", int]


class Sink(Protocol):
    """Where rows go."""

    linger_s: float  # how long to collect rows before a write

    def write(self, lines: list[tuple[str, dict[str, object]]]) -> tuple[int, int]:
        """(rows stored, rows refused for good), of the first ones; raises OSError to be asked again
        with the same rows.
        """

    def secret(self) -> bytes | None:
        """What users' keys are hashed with; None if there is nothing to hash them with."""

    def forked(self) -> None:
        """In a child: let go of what is the parent's."""

    def close(self) -> None:
        """The process ends."""


class AtomicCounter:
    """A count that any thread, signal handler or finalizer may raise: one step of the interpreter,
    so that none is lost, and no lock that a signal could find taken.
    """

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next = count()

    def add(self) -> None:
        """Raise the count by one."""
        next(self._next)

    @property
    def total(self) -> int:
        return int(repr(self._next)[len("count(") : -1])


class LiveQueue:
    """The rows of one process on their way to one sink."""

    def __init__(self, sink: Sink, writer: RowWriter) -> None:
        self.sink, self.writer = sink, writer
        self._hooked = False
        self._reset()

    def _reset(self) -> None:
        self._queue: SimpleQueue[Item | threading.Event] = queues.SimpleQueue()
        self._offered, self._refused = AtomicCounter(), AtomicCounter()
        self._stored = self._lost = 0  # only the thread changes them
        self._chars_in = self._chars_out = 0
        self._fault = self._why = ""
        self._noted = 0  # dropped rows that the record already counts
        self._warned = False
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    # -- the application's side

    def put(self, table: str, row: Row | Callable[[], Row], chars: int = 0) -> bool:
        """Whether the row was taken, or what makes it; it is written, or counted as dropped."""
        self._offered.add()
        if self._queue.qsize() >= LIMIT or self._closing.is_set():
            self._refused.add()
            return False
        if chars:
            self._chars_in += chars
        if self._thread is None and not self._started():
            self._refused.add()
            return False
        self._queue.put((table, row, chars))
        return True

    @property
    def room_for_content(self) -> bool:
        """Whether content may be kept: past the bound, rows go on without it."""
        return self._chars_in - self._chars_out < CHARS

    def flush(self, timeout_s: float = 2.0) -> bool:
        """Whether all that was put before is stored or dropped; waits for the thread so long."""
        if self._thread is None:
            return True
        reached = threading.Event()
        self._queue.put(reached)
        return reached.wait(timeout_s)

    def health(self) -> dict[str, object]:
        """Rows put, stored, dropped and waiting, faults of redaction, and the sink's last error,
        JSON-ready.
        """
        stored, lost = self._stored, self._lost
        dropped, offered = lost + self._refused.total, self._offered.total
        return {
            "put": offered,
            "stored": stored,
            "dropped": dropped,
            "waiting": max(offered - stored - dropped, 0),
            "redaction_faults": self.writer.faults,
            "fault": self._fault or None,
        }

    def _started(self) -> bool:
        if not self._starting.acquire(blocking=False):
            return True  # another thread starts it, or a signal handler of this one is here
        try:
            if self._thread is None:
                self._hook()
                _at_end_of_child(weakref.ref(self))
                if type(self._queue) is not queues.SimpleQueue:
                    # gevent or eventlet has patched threads since: a thread of theirs that waited
                    # for a queue of before would stop the whole process
                    self._queue = queues.SimpleQueue()
                thread = threading.Thread(target=self._run, name="promptops-observe", daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError as error:  # no more threads, or the interpreter ends
            self._fault = str(error)
            return False
        finally:
            self._starting.release()
        return True

    # -- the thread

    def _run(self) -> None:
        queue, me = self._queue, self._closing
        while True:
            first = queue.get()
            if self.sink.linger_s and not me.is_set():
                me.wait(self.sink.linger_s)
            batch, flushed = _taken(first, queue)
            if batch:
                self._write_all(batch)
                if not queue.qsize():
                    self._chars_in = self._chars_out = 0
            for event in flushed:
                event.set()

    def _write_all(self, batch: list[Item]) -> None:
        rows = []
        for table, row, chars in batch:
            self._chars_out += chars
            if self._fault and self._closing.is_set():
                self._lose(1, self._fault)  # no time to prepare what cannot be written
                continue
            try:
                made = row() if callable(row) else row
                rows.append((table, self.writer.prepared(table, made, self.sink)))
            except Exception as error:  # a row that cannot be written is counted, not raised
                self._lose(1, self._said(error))
        while rows:
            try:
                stored, refused = self.sink.write(rows)
            except OSError as error:
                self._fault = self._said(error, error.strerror)
                why = type(error).__name__  # its words may name an address with a password
                _LOG.debug("%s cannot be written (%s); tried again", self.sink, why)
                if self._closing.wait(RETRY_S):
                    return self._lose(len(rows), self._fault)
                continue
            except Exception as error:
                return self._lose(len(rows), self._said(error))
            _LOG.debug("%s: %d rows stored, %d refused", self.sink, stored, refused)
            if refused:
                self._lose(refused, "refused by the sink")
            elif stored:
                self._fault = ""
            self._stored += stored
            rows = rows[stored + refused :]
        self._note_losses()

    def _said(self, error: Exception, words: str | None = None) -> str:
        """An error as the log, the record of losses and `health` have it: its words may name an
        address with its password, or a header.
        """
        return self.writer.clean(f"{type(error).__name__}: {words or error}")

    def _lose(self, number: int, why: str) -> None:
        self._lost += number
        self._fault = self._why = why
        self._tell()

    def _note_losses(self) -> None:
        """Record how many rows were dropped, as soon as the sink takes rows again."""
        dropped = self._lost + self._refused.total
        if dropped == self._noted:
            return
        row = {"id": new_id("x"), "at": utc(), "rows": dropped - self._noted}
        row["reason"] = self._why or "more came than could be written"
        with suppress(Exception):  # it is tried again with the next rows
            if self.sink.write([("live_losses", row)]) == (1, 0):
                self._noted = dropped

    def _tell(self) -> None:
        """Say in the log, once, that rows are lost."""
        refused = self._refused.total
        if not (self._lost or refused) or self._warned:
            return
        self._warned = True
        _LOG.warning(
            "live rows are being dropped (%s): %s; promptops.observe.health() counts them.",
            self.sink,
            self._fault or "more came than could be written",
        )

    # -- ends and forks

    def close(self) -> None:
        """Wait a moment for what is on its way, then let go of the sink."""
        if self._thread is None:
            return
        until = time.monotonic() + EXIT_S
        if not self.flush(EXIT_S / 2):
            self._closing.set()
            self.flush(max(0.05, until - time.monotonic()))
            return
        self._closing.set()
        self.sink.close()

    def restart(self) -> None:
        """In a forked child: begin with nothing; what waits is the parent's."""
        self._reset()
        self.sink.forked()
        self.writer.forked()

    def _hook(self) -> None:
        if self._hooked:
            return
        self._hooked = True
        me = weakref.ref(self)
        atexit.register(_ended, me)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=lambda: _forked(me))


def _taken(
    first: Item | threading.Event, queue: SimpleQueue[Item | threading.Event]
) -> tuple[list[Item], list[threading.Event]]:
    """A batch, and the flushes that wait behind it."""
    batch: list[Item] = []
    flushed: list[threading.Event] = []
    each: Item | threading.Event = first
    while True:
        if isinstance(each, threading.Event):
            flushed.append(each)
        else:
            batch.append(each)
        if len(batch) >= BATCH or flushed:
            return batch, flushed
        try:
            each = queue.get_nowait()
        except Empty:
            return batch, flushed


def _at_end_of_child(me: weakref.ref[LiveQueue]) -> None:
    """In a child of multiprocessing, which ends by `os._exit`, close the queue with the child's own
    finalizers. Those that it inherits are removed when it starts, so each child registers its own.
    """
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        from multiprocessing.util import Finalize

        Finalize(None, _ended, args=(me,), exitpriority=-1)


def _ended(me: weakref.ref[LiveQueue]) -> None:
    queue = me()
    if queue is not None:
        queue.close()


def _forked(me: weakref.ref[LiveQueue]) -> None:
    queue = me()
    if queue is not None:
        queue.restart()
