"""How many calls are in flight at once: fixed by the caller, or found out.

Adaptive: starts at 8 and doubles a round (a round: as many answers as calls may be in flight) until the first 429, the
ceiling, or two rounds that bring no more answers a second; a 429 episode cuts it to 0.8 and starts a cooldown, in which
further 429s of calls sent before the cut do not count; each clean round after it adds 5 %. A 5xx pauses growth. Answers
that came from a cache never get here. Every change is kept with its reason.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from .clock import Clock

__all__ = ["Change", "Pace", "reset_seconds"]

START, CEILING = 8.0, 200.0
CUT, GROWTH = 0.8, 1.05
COOLDOWN_S, PAUSE_S = 15.0, 5.0
_SATURATION_FROM = 32  # below this, the noise of a round's length hides whether it helped
_LONGEST_WAIT_S = 60.0  # the most that a rate-limit header may hold everything back
_KEPT = 200
_RESET = re.compile(r"(?:(\d{1,9})h)?(?:(\d{1,9})m(?!s))?(?:(\d{1,9}(?:\.\d+)?)s)?(?:(\d{1,9}(?:\.\d+)?)ms)?")


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the limit. at_s: seconds since the start; reason: fixed, start, slow_start, saturated, rate_limit,
    clean_round, server_error (growth paused) or headers (everything waits for the quota's reset)."""

    at_s: float
    limit: int
    reason: str


class Pace:
    """The gate of one endpoint. `enter` before an attempt, `leave` after it. Used on one event loop."""

    def __init__(self, clock: Clock, fixed: int | None = None, ceiling: float = CEILING) -> None:
        self._clock = clock
        self.fixed = fixed is not None
        self._limit = float(fixed) if fixed is not None else min(START, ceiling)
        self._ceiling = ceiling
        self.in_flight = 0
        self.held = 0  # places of answers that are not recorded yet: what a crash costs is never more than the limit
        self._queue: deque[asyncio.Future[None]] = deque()
        self._began = clock.now()
        self._held_until = -math.inf  # nothing is sent before: the provider said that its quota is empty
        self._wake: asyncio.Task[None] | None = None
        self._slow_start = True
        self._cut_at = self._paused_until = -math.inf
        self._round, self._round_began, self._full = 0, self._began, False
        self._best_rate, self._idle_rounds = 0.0, 0
        self.history: deque[Change] = deque(maxlen=_KEPT)
        self._note("fixed" if self.fixed else "start")

    @property
    def limit(self) -> int:
        """Calls that may be in flight now."""
        return max(1, int(self._limit))

    # -- the gate

    def try_enter(self) -> bool:
        """Take a place if one is free now and nobody waits."""
        if self._queue or self.in_flight + self.held >= self.limit or self._clock.now() < self._held_until:
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

    # -- what it learns from

    def answered(self, sent_at: float) -> None:
        """An attempt came back with an answer."""
        if self.fixed:
            return
        now = self._clock.now()
        self._round += 1
        if self._slow_start and self._full and now >= self._paused_until:
            self._limit = min(self._limit + 1, self._ceiling)
            self._admit()
        if self._round >= self.limit:
            self._end_round(now)

    def limited(self, sent_at: float) -> None:
        """An attempt that was sent at `sent_at` (monotonic) came back with 429."""
        if self.fixed or sent_at <= self._cut_at:
            return
        self._slow_start = False
        self._cut_at = now = self._clock.now()
        self._limit = max(1.0, self._limit * CUT)
        self._paused_until = max(self._paused_until, now + COOLDOWN_S)
        self._new_round(now)
        self._note("rate_limit")

    def server_failed(self) -> None:
        """A 5xx came back: no growth for a while."""
        if self.fixed:
            return
        now = self._clock.now()
        if now >= self._paused_until:
            self._note("server_error")
        self._paused_until = max(self._paused_until, now + PAUSE_S)
        self._new_round(now)

    def read(self, headers: Mapping[str, str]) -> None:
        """Hold everything back while the provider's headers say that nothing is left until a reset."""
        for kind in ("requests", "tokens"):
            if headers.get(f"x-ratelimit-remaining-{kind}") == "0":
                wait = reset_seconds(headers.get(f"x-ratelimit-reset-{kind}", ""))
                if wait:
                    until = self._clock.now() + min(wait, _LONGEST_WAIT_S)
                    if until > self._held_until:
                        self._held_until = until
                        self._note("headers")

    # -- inside

    def _take(self) -> None:
        self.in_flight += 1
        if self.in_flight + self.held >= self.limit:
            self._full = True

    def _admit(self) -> None:
        if not self._queue:
            return
        if self._clock.now() < self._held_until:
            if self._wake is None or self._wake.done():
                self._wake = asyncio.get_running_loop().create_task(self._open_later())
            return
        while self._queue and self.in_flight + self.held < self.limit:
            place = self._queue.popleft()
            if not place.done():
                self._take()
                place.set_result(None)

    async def _open_later(self) -> None:
        while (wait := self._held_until - self._clock.now()) > 0:
            await self._clock.sleep(wait)
        self._wake = None
        self._admit()

    def _end_round(self, now: float) -> None:
        if self._full and now >= self._paused_until:
            if self._slow_start:
                self._judge_growth(now)
            else:
                self._limit = min(self._limit * GROWTH, self._ceiling)
                self._note("clean_round")
                self._admit()
        self._new_round(now)

    def _judge_growth(self, now: float) -> None:
        """End the slow start at the ceiling, or where two rounds in a row answered no faster than the best before them."""
        rate = self._round / max(now - self._round_began, 1e-9)
        gained = rate > self._best_rate * 1.1
        self._best_rate = max(self._best_rate, rate)
        self._idle_rounds = 0 if gained or self._limit < _SATURATION_FROM else self._idle_rounds + 1
        if self._limit >= self._ceiling or self._idle_rounds >= 2:
            self._slow_start = False
        self._note("slow_start" if self._slow_start or self._limit >= self._ceiling else "saturated")

    def _new_round(self, now: float) -> None:
        self._round, self._round_began = 0, now
        self._full = self.in_flight + self.held >= self.limit

    def _note(self, reason: str) -> None:
        limit = self.limit
        if self.history and reason == "clean_round" and self.history[-1].limit == limit:
            return
        self.history.append(Change(round(self._clock.now() - self._began, 3), limit, reason))


def reset_seconds(text: str) -> float | None:
    """Seconds of a reset header: "1s", "6m0s", "20ms", "1h2m", or a bare number of seconds; None where it is none of these."""
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
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds_text or 0) + float(millis or 0) / 1000
