"""The one source of time for waits and deadlines, handed in, so that a test of a 3,600 s wait takes
none.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["SYSTEM", "Clock", "SystemClock", "Timing"]


class Clock(Protocol):
    """now: monotonic seconds; wall: Unix seconds; sleep: waits so many seconds of this clock."""

    def now(self) -> float: ...

    def wall(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's own time: `now` by its monotonic clock, `wall` by its calendar, `sleep` on the
    event loop.
    """

    def now(self) -> float:
        return time.perf_counter()

    def wall(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


SYSTEM: Clock = SystemClock()


@dataclass(frozen=True, slots=True)
class Timing:
    """What waits depend on: the clock they are measured by, and the chance that spreads retries."""

    clock: Clock = SYSTEM
    rng: random.Random = field(default_factory=random.Random)
