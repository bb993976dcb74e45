"""The gate of an endpoint: how many calls are in flight at once, fixed by the caller or found out
(see width).

A call that waits for its Retry-After holds no place. The place that it had stays empty for as long
as an answer takes, but at most a second where no more of a round trip were refused than come by
chance, so that an endpoint that refuses quickly is not asked in a loop. Where most of a round trip
were refused, everything waits for Retry-After. Answers that came from a cache never get here.
Every change is kept with its reason.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from .clock import Clock
from .width import Width

__all__ = ["LimitChange", "Pace", "reset_seconds"]

START, CEILING = 8.0, 200.0
_LONGEST_WAIT_S = 60.0  # the most that one answer may hold everything back
_REST_S = 1.0  # the most that the place of a refusal by chance stays empty
_KEPT = 200
_GROWTH = ("slow_start", "clean_second")  # reported only if they changed the limit
_RESET = re.compile(
    r"(?:(\d{1,9})h)?(?:(\d{1,9})m(?!s))?(?:(\d{1,9}(?:\.\d+)?)s)?(?:(\d{1,9}(?:\.\d+)?)ms)?"
)


@dataclass(frozen=True, slots=True)
class LimitChange:
    """One change of the limit. at_s: seconds since the start; reason: fixed, start, slow_start,
    saturated, rate_limit, scattered (the limit is not why calls are refused), clean_second,
    server_error (growth paused, or everything waits because nothing else comes), retry_after (most
    were refused, everything waits) or headers (everything waits for the quota's reset).
    """

    at_s: float
    limit: int
    reason: str


class Pace:
    """The gate of one endpoint.

    `enter` before an attempt, `leave` after it. Used on one event loop.
    """

    def __init__(self, clock: Clock, fixed: int | None = None, ceiling: float = CEILING) -> None:
        self._clock = clock
        self.fixed = fixed is not None
        self._fixed = fixed
        self._began = clock.now()
        self._width = Width(self._began, START, ceiling)
        self.in_flight = 0
        # places of answers that are not recorded yet: what a crash costs is never more than the
        # limit
        self.held = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._resting: deque[float] = deque()  # until when places stay empty after a refusal
        self._held_until = -math.inf  # nothing is sent before
        self._wake: asyncio.Task[None] | None = None
        self.history: deque[LimitChange] = deque(maxlen=_KEPT)
        self._note("fixed" if self.fixed else "start")

    @property
    def limit(self) -> int:
        """Calls that may be in flight now."""
        return int(self._width.value) if self._fixed is None else self._fixed

    # -- the gate

    def try_enter(self) -> bool:
        """Take a place if one is free now and nobody waits."""
        if self._queue or self._full():
            return False
        if self._held_until > -math.inf and self._clock.now() < self._held_until:
            return False
        self._take()
        return True

    async def enter(self) -> None:
        """Take a place, waiting in line for it."""
        if self.try_enter():
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(place)
        self._admit()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave()  # it was given a place in the same moment
            raise

    def leave(self) -> None:
        """Give the place back."""
        self.in_flight -= 1
        self._admit()

    def hold(self) -> None:
        """Keep the place of an answer until it is recorded."""
        self.held += 1

    def release(self) -> None:
        """An answer was recorded: its place is free."""
        self.held -= 1
        self._admit()

    def close(self) -> None:
        """Nothing more will enter."""
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None

    # -- what it learns from

    def answered(self, sent_at: float) -> None:
        """An attempt that was sent at `sent_at` (monotonic) came back with an answer."""
        if not self.fixed:
            self._note(self._width.answered(self._clock.now(), sent_at, self._full()))

    def limited(self, sent_at: float, retry_after_s: float | None = None) -> None:
        """An attempt that was sent at `sent_at` came back with 429, and was asked to wait so
        long.
        """
        if self.fixed:
            return
        now, width = self._clock.now(), self._width
        changed = width.refused(now, sent_at, self._full())
        self._note(changed)
        crowded = width.crowded or changed == "rate_limit"
        most = width.latency_s if crowded else _REST_S
        self._resting.append(now + min(width.latency_s, most))
        if retry_after_s and changed and width.shut:
            until = now + min(retry_after_s, _LONGEST_WAIT_S)
            self._ask_again_at(until, "retry_after")

    def server_failed(self, sent_at: float = math.inf) -> None:
        """An attempt that was sent at `sent_at` came back with 5xx: no growth for a while, and
        everything waits where nothing else comes back.
        """
        if self.fixed:
            return
        now = self._clock.now()
        self._note(self._width.failed(now, sent_at))
        self._resting.append(now + min(self._width.latency_s, _REST_S))
        wait = self._width.down(now, sent_at)
        if wait:
            self._ask_again_at(now + wait, "server_error")

    def read(self, headers: Mapping[str, str]) -> None:
        """Hold everything back while the provider's headers say that nothing is left until a
        reset.
        """
        for kind in ("requests", "tokens"):
            if headers.get(f"x-ratelimit-remaining-{kind}") == "0":
                wait = reset_seconds(headers.get(f"x-ratelimit-reset-{kind}", ""))
                if wait:
                    self._hold_back(self._clock.now() + min(wait, _LONGEST_WAIT_S), "headers")

    # -- inside

    def _full(self) -> bool:
        if self._resting:
            now = self._clock.now()
            while self._resting and self._resting[0] <= now:
                self._resting.popleft()
        return self.in_flight + self.held + len(self._resting) >= self.limit

    def _take(self) -> None:
        self.in_flight += 1
        if self._full():
            self._width.filled()

    def _admit(self) -> None:
        if not self._queue:
            return
        held_back = self._clock.now() < self._held_until
        while self._queue and not held_back and not self._full():
            place = self._queue.popleft()
            if not place.done():
                self._take()
                place.set_result(None)
        if self._queue and (held_back or self._resting) and self._wake is None:
            opens_at = self._held_until if held_back else self._resting[0]
            self._wake = asyncio.get_running_loop().create_task(self._open_at(opens_at))

    async def _open_at(self, at: float) -> None:
        """Admit again then: the wait is over, or a place has rested."""
        await self._clock.sleep(max(0.0, at - self._clock.now()))
        self._wake = None
        self._admit()

    def _ask_again_at(self, until: float, reason: str) -> None:
        """Everything waits until then, and is sent one after the other over a round trip."""
        if self._hold_back(until, reason):
            self._width.held_back(until)
            step = self._width.latency_s / self.limit
            self._resting = deque(until + step * number for number in range(1, self.limit))

    def _hold_back(self, until: float, reason: str) -> bool:
        longer = until > self._held_until
        if longer:
            self._held_until = until
            self._note(reason)
            self.close()  # it may have been set to a later moment, for a place that rests
        return longer

    def _note(self, reason: str | None) -> None:
        limit = self.limit
        if reason is None or (reason in _GROWTH and self.history[-1].limit == limit):
            return
        self.history.append(LimitChange(round(self._clock.now() - self._began, 3), limit, reason))


def reset_seconds(text: str) -> float | None:
    """Seconds of a reset header: "1s", "6m0s", "20ms", "1h2m", or a bare number of seconds; None
    if it is anything else.
    """
    text = text.strip()
    try:
        seconds = float(text)
        return seconds if 0 <= seconds < math.inf else None
    except ValueError:
        pass
    match = _RESET.fullmatch(text)
    if not match or not text:
        return None
    hours, minutes, seconds_text, millis = match.groups()
    return (
        int(hours or 0) * 3600
        + int(minutes or 0) * 60
        + float(seconds_text or 0)
        + float(millis or 0) / 1000
    )
