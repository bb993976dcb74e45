"""Imports in a thread of their own, beside work that mostly waits.

A child that is forked in the middle of an import waits for the end of it, which never comes there.
So a fork waits for the import that is under way here.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from importlib import import_module

__all__ = ["import_beside", "import_safely"]

_LONGEST_S = 10.0  # that a fork waits: it may hold a lock that the import needs


class _Gate:
    """A lock that an import holds, and a fork takes."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # reentrant: an import may fork by itself
        self._mine = threading.local()
        self._hooked = False

    def hook(self) -> None:
        """Let forks wait from now on. The latest hook is the first to run: a fork that waits here
        then holds none of the locks that others take for it, and logging's is one.
        """
        with self._lock:
            if not self._hooked and hasattr(os, "register_at_fork"):
                os.register_at_fork(
                    before=self._before, after_in_parent=self._after, after_in_child=self._child
                )
            self._hooked = True

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def _before(self) -> None:
        self._mine.taken = self._lock.acquire(timeout=_LONGEST_S)

    def _after(self) -> None:
        if self._mine.taken:
            self._lock.release()

    def _child(self) -> None:
        if self._mine.taken:
            self._lock.release()
        else:  # its holder is a thread of the parent
            self._lock = threading.RLock()


_GATE = _Gate()


def import_beside(module: str) -> None:
    """Begin to import a module in another thread, unless it is there. Who needs it imports it, and
    meets what fails here.
    """
    if module not in sys.modules:
        _GATE.hook()
        with suppress(RuntimeError):  # a thread cannot be started
            threading.Thread(
                target=import_safely, args=(module,), name=f"promptops-import-{module}"
            ).start()


def import_safely(module: str) -> None:
    """Import a module in this thread, which is not the main one; no fork meets it half imported."""
    _GATE.hook()
    with suppress(Exception), _GATE:
        import_module(module)
