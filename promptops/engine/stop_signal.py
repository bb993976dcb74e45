"""Why a sweep ends early: reported once, heard by all of its calls at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .clock import Clock

__all__ = ["Stop"]


class Stop:
    """Whether to stop, shared by the calls of a sweep. code: cancelled, budget_stop, circuit_open
    or internal.

    Used on one event loop. on_set: called once, with the code, when the stop is set.
    """

    __slots__ = ("_event", "code", "on_set", "reason")

    def __init__(self, on_set: Callable[[str], None] | None = None) -> None:
        self.code: str | None = None
        self.reason = ""
        self.on_set = on_set
        self._event = asyncio.Event()

    def set(self, code: str, reason: str) -> None:
        """Stop for this reason; the first one stays."""
        if self.code is None:
            self.code, self.reason = code, reason
            self._event.set()
            if self.on_set is not None:
                self.on_set(code)

    async def sleep(self, clock: Clock, seconds: float) -> None:
        """Wait, but no longer than until the stop."""
        waits = [
            asyncio.ensure_future(clock.sleep(seconds)),
            asyncio.ensure_future(self._event.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
