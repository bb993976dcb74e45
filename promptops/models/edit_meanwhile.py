"""Whether somebody edits a function while it is asked: what its own calls change settles."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .function_definition import Definition

__all__ = ["EditMeanwhile"]

_CALLS_UNCHANGED = 10


class EditMeanwhile:
    """How a function was defined after its first call, and after the latest that was looked at."""

    def __init__(self) -> None:
        self._first: Definition | None = None
        self._latest: Definition | None = None
        self._since, self._changes, self._unchanged = perf_counter(), 0, 0

    def is_one(self, now: Definition, asked_at: float) -> bool:
        """Whether something differs that no call changes, also none that has not ended; what the
        first one changes, such as a module that it imports, is its own, and so is what differs
        each time, such as a registry of the classes that were met: an edit is still there after a
        call that began later, and after more of them where that had changed several times.
        """
        self._first, before, self._latest = self._first or now, self._latest, now
        if before is not None and now != before:
            self._changes, self._unchanged = self._changes + 1, 0
            self._since = perf_counter()
        elif asked_at > self._since:
            self._unchanged += 1
        enough = 1 if self._changes < 2 else _CALLS_UNCHANGED * self._changes
        return now != self._first and self._unchanged >= enough
