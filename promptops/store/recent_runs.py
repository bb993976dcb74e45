"""The runs that this process recorded a moment ago, so that an equal question finds its answer
without opening the database.

Bounded: what falls out is noted by where it is in the segment, so that a reader knows whether
the database has it by now.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from ..run import Run

__all__ = ["RecentRuns"]

MOST = 4096  # runs kept: a study of a hundred thousand takes no more memory than that


class RecentRuns:
    """Runs by their key, the latest of each. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._segment = ""
        self._fell_at = 0  # bytes of the segment that end with the last one that fell out

    def add(self, runs: Sequence[Run], segment: str, size: int) -> None:
        """These were recorded within the first `size` bytes of the segment.

        Runs of an earlier segment are forgotten: others may have purged them there.
        """
        with self._lock:
            if segment != self._segment:
                self._runs.clear()
                self._segment, self._fell_at = segment, 0
            for run in runs:
                self._runs[run.key] = run
                self._runs.move_to_end(run.key)
            while len(self._runs) > MOST:
                self._runs.popitem(last=False)
                self._fell_at = size

    def of(self, keys: Iterable[str]) -> dict[str, Run]:
        """key -> the latest run, of those that are here."""
        with self._lock:
            return {key: self._runs[key] for key in keys if key in self._runs}

    def suffices(self, covered: Mapping[str, int]) -> bool:
        """Whether this memory and a database that covers so much of each segment have all that this
        process recorded.
        """
        with self._lock:
            return covered.get(self._segment, 0) >= self._fell_at

    def forget(self) -> None:
        """They may be gone."""
        with self._lock:
            self._runs.clear()
            self._fell_at = 1 << 62  # until the next segment: only the database knows
