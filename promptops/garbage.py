"""The garbage collector beside work that makes many objects which stay.

By its own threshold Python looks for cycles after every 700 new objects, and again and again
through all that a study keeps: a tenth of the time of 4,000 calls, to free next to nothing.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["RARELY", "collecting_rarely"]

_MANY = 5_000  # young objects: a look at fewer takes less than a millisecond
RARELY = 50_000  # new objects between two looks: cycles of at most some ten megabytes wait for it


class _Threshold:
    """The threshold of this process, raised while anyone works under it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._before: tuple[int, int, int] | None = None

    def raise_(self) -> None:
        with self._lock:
            self._users += 1
            young, middle, old = gc.get_threshold()
            if self._users == 1 and 0 < young < RARELY:  # 0: the user has switched it off
                self._before = young, middle, old
                gc.set_threshold(RARELY, middle, old)

    def restore(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users or self._before is None:
                return
            if gc.get_threshold() == (RARELY, *self._before[1:]):  # else the user has set another
                _take_for_old()
                gc.set_threshold(*self._before)
            self._before = None

    def begin_in_child(self) -> None:
        """After a fork: a lock that another thread held is never given back."""
        self._lock = threading.Lock()


def _take_for_old() -> None:
    """Leave what is young now to the next look at everything: the look that would follow at once
    takes ten milliseconds, and most of it stays.
    """
    # what the user has frozen is to stay so; to count it takes long if it is much
    if gc.get_count()[0] > _MANY and not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()


_THRESHOLD = _Threshold()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_THRESHOLD.begin_in_child)


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Collect after every `RARELY` new objects at most; what the user has chosen is kept where it
    is rarer still. May be nested, also by several threads; also a decorator.
    """
    _THRESHOLD.raise_()
    try:
        yield
    finally:
        _THRESHOLD.restore()
