"""How much of the processor a piece of code takes, whatever else the machine does."""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["children_s", "quick"]


@dataclass
class Took:
    """What a block took, once it has ended."""

    seconds: float = 0.0


@contextmanager
def quick(seconds: float) -> Iterator[Took]:
    """The block takes less than so many seconds of the processor in this thread. The rest of the
    machine does not count, nor does a collection of what earlier tests of the process left, which
    takes a second in a process that has run a thousand of them.
    """
    took, collects = Took(), gc.isenabled()
    gc.disable()
    try:
        began = time.thread_time()
        yield took
        took.seconds = time.thread_time() - began
    finally:
        if collects:
            gc.enable()
    assert took.seconds < seconds, f"{took.seconds:.2f} s of the processor"


def children_s() -> float:
    """Seconds of the processor's time that finished child processes took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
