"""A thread that should wake a few times a second: how late it wakes is how long nothing in this
process could run.

Code in C that keeps the interpreter (a regular expression that backtracks, say) stops every thread,
the one that watches it too: no limit of time and no stop reaches it. That can only be reported
afterwards.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

__all__ = ["Pulse"]

TICK_S = 0.25
LATE_S = 2.0  # from which it is worth a word


class Pulse:
    """names: asked in its thread, whose calls ran since it was asked before. longest: seconds, and
    whose calls ran meanwhile.
    """

    def __init__(self, names: Callable[[], Iterable[str]]) -> None:
        self._names = names
        self._over = threading.Event()
        self._last = time.monotonic()
        self.longest: tuple[float, tuple[str, ...]] = (0.0, ())
        self._thread = threading.Thread(target=self._beat, name="promptops-pulse", daemon=True)
        self._thread.start()

    def close(self) -> str:
        """End it; one sentence on the longest standstill, "" if there was none to speak of."""
        self._over.set()
        self._thread.join(LATE_S)
        seconds, names = self.longest
        if not names:
            return ""
        return (
            f"nothing else in this process could run for {seconds:.0f} s while {' or '.join(names)}"
            " was called: code in C that keeps the interpreter, such as a regular expression that"
            " backtracks, is reached by no time limit and no stop; @scorer(isolated=True) calls it"
            " in a process of its own."
        )

    def _beat(self) -> None:
        over = False
        while not over:
            over = self._over.wait(TICK_S)
            now, names = time.monotonic(), set(self._names())
            late = now - self._last - TICK_S
            if late > max(LATE_S, self.longest[0]) and names:
                self.longest = (late, tuple(sorted(names)))
            self._last = now
