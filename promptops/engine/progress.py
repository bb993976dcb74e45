"""The state of a sweep: a frozen snapshot that any thread may take at any time, in which unknown is
never zero.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..run import Attempt, Run
from .adaptive_concurrency import LimitChange

__all__ = ["ArmProgress", "HandedIn", "Ledger", "Progress", "together"]

_DAY_S = 20 * 3600.0  # after which a time of day alone would mislead
_WINDOW_S = 10.0  # over which the rate is measured


@dataclass(frozen=True, slots=True)
class ArmProgress:
    """One version's part. done: calls that ended, failed ones included; failed: those with a
    failure class.
    """

    done: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class HandedIn:
    """Questions that wait in batches. at: when the first of them was handed in, Unix seconds; back:
    how many the providers have answered.
    """

    at: float
    total: int
    back: int = 0

    def __str__(self) -> str:
        day, moment = time.strftime("%d %b ", time.localtime(self.at)), time.localtime(self.at)
        when = ("" if time.time() - self.at < _DAY_S else day) + time.strftime("%H:%M", moment)
        share = f"{self.back:,} of {self.total:,}" if self.back < 1 else _percent(self)
        return f"handed in {when}, {share} back"

    def with_(self, other: HandedIn | None) -> HandedIn:
        """Both together."""
        if other is None:
            return self
        return HandedIn(min(self.at, other.at), self.total + other.total, self.back + other.back)


def _percent(waiting: HandedIn) -> str:
    return f"{100 * waiting.back // waiting.total} %"


@dataclass(frozen=True, slots=True)
class Progress:
    """A moment of a sweep. done counts recorded calls only.

    total: None if the questions are a stream of unknown length; failed: class -> calls;
    cost_usd: of the calls whose cost is known, cost_unknown: how many are not; rate: calls a second
    over the last 10 s; time_left_s: None while unknown; concurrency: calls that may be in flight
    now, per endpoint; stopped: why it ended early, one sentence; handed_in: what waits in
    batches, None if nothing does; counted_usd, counted_tokens: as a budget counts them, a call
    without usage at what was reserved for it.
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
    arms: Mapping[str, ArmProgress] = field(default_factory=dict)
    concurrency: Mapping[str, int] = field(default_factory=dict)
    history: Mapping[str, Sequence[LimitChange]] = field(default_factory=dict)
    finished: bool = False
    stopped: str | None = None
    handed_in: HandedIn | None = None
    counted_usd: float = 0.0
    counted_tokens: int = 0

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
        self._arms: dict[str, ArmProgress] = {}
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
                arm = self._arms.get(run.version_id, ArmProgress())
                self._arms[run.version_id] = ArmProgress(
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


def together(now: Progress, earlier: Sequence[Progress], total: int | None) -> Progress:
    """The counts of passes that followed each other; the state is that of `now`."""
    done = [*earlier, now]
    arms = {
        version: _added([each.arms[version] for each in done if version in each.arms])
        for each in done
        for version in each.arms
    }
    failed: Counter[str] = Counter()
    for each in done:
        failed.update(each.failed)
    return replace(
        now,
        total=total,
        done=sum(each.done for each in done),
        failed=dict(failed),
        retries=sum(each.retries for each in done),
        cost_usd=sum(each.cost_usd for each in done),
        cost_unknown=sum(each.cost_unknown for each in done),
        tokens_in=sum(each.tokens_in for each in done),
        tokens_out=sum(each.tokens_out for each in done),
        counted_usd=sum(each.counted_usd for each in done),
        counted_tokens=sum(each.counted_tokens for each in done),
        elapsed_s=sum(each.elapsed_s for each in done),
        arms=arms,
    )


def _added(parts: Sequence[ArmProgress]) -> ArmProgress:
    return ArmProgress(sum(part.done for part in parts), sum(part.failed for part in parts))
