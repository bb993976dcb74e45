"""Reading one DuckDB file several times in a row without opening it each time.

Opening and closing a file takes as long as most of the questions that are asked of it. Within
`sitting` the file that was read last stays attached until the next read, for a quarter of a second
at most: then, at the end, or as soon as this process writes or reads another file, it is closed.
Other processes wait for their turn no longer than that.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Connection


__all__ = ["KEEPERS", "Keeper", "if_nobody_else", "one_at_a_time", "sitting"]

MOST_S = 0.25  # a file is kept for; WAIT_S of the others is twenty times that

# DuckDB's file locks are the process's, so threads take turns here. Renewed in a forked child,
# where its holder is gone.
_ONE_AT_A_TIME = [threading.RLock()]
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _ONE_AT_A_TIME.__setitem__(0, threading.RLock()))


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """The one lock of the process around opening DuckDB files. Ctrl-C within stays what it is:
    DuckDB, which sees to signals during a query, raises a RuntimeError in its place.
    """
    with _ONE_AT_A_TIME[0]:
        try:
            yield
        except RuntimeError as error:
            if str(error) == "Query interrupted" and _by_the_user():
                raise KeyboardInterrupt from None
            raise


@contextmanager
def if_nobody_else() -> Iterator[bool]:
    """Whether no other thread is in `one_at_a_time`, which none enters until the block ends then.
    Others are waited for as long as a file is kept for, since a kernel that reads all the time is
    between two reads for a moment only.
    """
    lock = _ONE_AT_A_TIME[0]
    mine = lock.acquire(timeout=MOST_S)
    try:
        yield mine
    finally:
        if mine:
            lock.release()


def _by_the_user() -> bool:
    """Whether it was Ctrl-C: no other signal has a handler that could have raised something."""
    handled = {number for number in signal.valid_signals() if callable(signal.getsignal(number))}
    return handled == {signal.SIGINT}


@dataclass(slots=True)
class _Kept:
    """A file that is attached for reading. identity: of its bytes, as they were; close: lets go of
    it and of its turn; used: a read is under way; late: its time is over.
    """

    path: Path
    identity: tuple[int, ...]
    con: Connection
    close: Callable[[], object]
    used: bool = False
    late: bool = False


class Keeper:
    """The one file that this process keeps attached between the reads of its sittings. Used under
    `one_at_a_time`.
    """

    def __init__(self) -> None:
        self._sittings = 0
        self._kept: _Kept | None = None
        self._timer: threading.Timer | None = None

    @property
    def wanted(self) -> bool:
        """Whether a file that was opened now is to be kept."""
        return self._sittings > 0 and self._kept is None

    def begin(self) -> None:
        """One sitting more."""
        self._sittings += 1

    def end(self) -> None:
        """One sitting fewer; after the last no file is open."""
        self._sittings -= 1
        if not self._sittings:
            self.let_go()

    @contextmanager
    def again(self, path: Path, identity: tuple[int, ...]) -> Iterator[Connection | None]:
        """The connection that is kept for these very bytes, or None, and then no
        other is kept either.
        """
        kept = self._kept
        if kept is None or kept.used:  # a read within a read opens the file for itself
            yield None
            return
        if kept.path != path or kept.identity != identity:
            self.let_go()
            yield None
            return
        kept.used = True
        try:
            yield kept.con
        except BaseException:
            kept.late = True  # whatever it left behind on the connection goes with it
            raise
        finally:
            kept.used = False
            if kept.late:
                self.let_go()

    def keep(
        self, path: Path, identity: tuple[int, ...], con: Connection, close: Callable[[], object]
    ) -> None:
        """Keep a file that was read just now. close: lets go of it."""
        kept = self._kept = _Kept(path, identity, con, close)
        self._timer = threading.Timer(MOST_S, self._expire, (kept,))
        self._timer.daemon = True
        self._timer.start()

    def let_go(self) -> None:
        """Close what is kept, but for a file that is read at this moment."""
        kept = self._kept
        if kept is None or kept.used:
            return
        self._kept = None
        if self._timer is not None:
            self._timer.cancel()
        kept.close()

    def _expire(self, kept: _Kept) -> None:
        with one_at_a_time():
            if self._kept is kept:
                kept.late = True
                self.let_go()


# The last is this process's; before it, in a forked child, its parents', whose locks are theirs.
KEEPERS = [Keeper()]
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: KEEPERS.append(Keeper()))


@contextmanager
def sitting() -> Iterator[None]:
    """Reads within keep their file attached from one to the next; see the module."""
    with one_at_a_time():
        keeper = KEEPERS[-1]
        keeper.begin()
    try:
        yield
    finally:
        with one_at_a_time():
            keeper.end()
