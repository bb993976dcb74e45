"""How a sweep stands: a frozen snapshot that any thread may take at any time, in which unknown is
never zero.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..run import Attempt, Run
from .adaptive_concurrency import Change

__all__ = ["Arm", "Ledger", "Progress"]

_WINDOW_S = 10.0  # over which the rate is measured


@dataclass(frozen=True, slots=True)
class Arm:
    """One version's part. done: calls that ended, failed ones included; failed: those with a
    failure class.
    """

    done: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """A moment of a sweep. done counts recorded calls only.

    total: None where the questions are a stream of unknown length; failed: class -> calls;
    cost_usd: of the calls whose cost is known, cost_unknown: how many are not; rate: calls a second
    over the last 10 s; time_left_s: None while unknown; concurrency: calls that may be in flight
    now, per endpoint; stopped: why it ended early, one sentence.
    """

    total: int | None = None
    done: int = 0
    failed: Mapping[str, int] = field(default_factory=dict)
    in_flight: int = 0
    waiting: int = 0  # between two attempts
    retries: int = 0
    rate: float = 0.0
    cost_usd: float = 0.0
    cost_unknown: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    elapsed_s: float = 0.0
    time_left_s: float | None = None
    arms: Mapping[str, Arm] = field(default_factory=dict)
    concurrency: Mapping[str, int] = field(default_factory=dict)
    history: Mapping[str, Sequence[Change]] = field(default_factory=dict)
    finished: bool = False
    stopped: str | None = None

    @property
    def failures(self) -> int:
        """Calls that ended with a failure class."""
        return sum(self.failed.values())


class Ledger:
    """The counts behind Progress; `add` is called once a recorded batch, on the sweep's loop."""

    def __init__(self, total: int | None) -> None:
        self.total = total
        self._lock = threading.Lock()
        self._began: float | None = None
        self._ended: float | None = None
        self._done, self._retries, self._cost, self._unknown = 0, 0, 0.0, 0
        self._tokens_in, self._tokens_out = 0, 0
        self._failed: dict[str, int] = {}
        self._arms: dict[str, Arm] = {}
        self._recent: deque[tuple[float, int]] = deque([(0.0, 0)], maxlen=4096)

    def begin(self) -> None:
        """The clock of the rate starts."""
        self._began = time.perf_counter()
        self._recent = deque([(self._began, 0)], maxlen=4096)

    def end(self) -> None:
        """The counts are final."""
        self._ended = time.perf_counter()

    def fewer(self, count: int) -> None:
        """So many of the expected calls will not be made: others answer for them."""
        if self.total is not None:
            self.total -= count

    def add(self, runs: Sequence[Run], attempts: Sequence[Attempt], remote: Sequence[bool]) -> None:
        """Count a recorded batch. remote: per run, whether its cost is to be known."""
        now = time.perf_counter()
        unpriced = {attempt.run_id for attempt in attempts if attempt.cost_usd is None}
        with self._lock:
            for run, away in zip(runs, remote, strict=True):
                arm = self._arms.get(run.version_id, Arm())
                self._arms[run.version_id] = Arm(
                    arm.done + 1, arm.failed + (run.failure is not None)
                )
                if run.failure is not None:
                    self._failed[run.failure] = self._failed.get(run.failure, 0) + 1
                if run.cost_usd is not None:
                    self._cost += run.cost_usd
                elif away and run.attempts and (run.scorable or run.id in unpriced):
                    self._unknown += 1
                self._tokens_in += run.tokens_in or 0
                self._tokens_out += run.tokens_out or 0
            self._done += len(runs)
            self._retries += sum(attempt.number > 1 for attempt in attempts)
            if (
                len(self._recent) == 1 or now - self._recent[-1][0] > _WINDOW_S / 2000
            ):  # the first entry is where it began
                self._recent.append((now, self._done))
            else:
                self._recent[-1] = (self._recent[-1][0], self._done)
            while len(self._recent) > 2 and self._recent[1][0] < now - _WINDOW_S:
                self._recent.popleft()

    def snapshot(self) -> Progress:
        """The counts now; the sweep adds what only it knows."""
        now = self._ended or time.perf_counter()
        with self._lock:
            since, before = self._recent[0]
            rate = (
                (self._done - before) / max(now - since, 1e-9) if self._began is not None else 0.0
            )
            left = None if self.total is None else max(0, self.total - self._done)
            return Progress(
                total=self.total,
                done=self._done,
                failed=dict(self._failed),
                retries=self._retries,
                rate=rate,
                cost_usd=self._cost,
                cost_unknown=self._unknown,
                tokens_in=self._tokens_in,
                tokens_out=self._tokens_out,
                elapsed_s=now - self._began if self._began is not None else 0.0,
                time_left_s=0.0
                if left == 0
                else left / rate
                if left is not None and rate > 0
                else None,
                arms=dict(self._arms),
                finished=self._ended is not None,
            )
