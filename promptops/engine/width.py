"""How many calls at once an endpoint takes, learned from what it answers and what it refuses with
429.

A round trip is what came back of as many calls as may be in flight, over at least the usual time
of an answer. A tenth of one and two calls more may be refused without consequence, since an
endpoint refuses that many at random; a larger share cuts the width in proportion, once in a round
trip, and never below two. Where cut follows cut, another width is tried for a round trip: with
less, a limiter refuses nothing, and with more, most; a share that stays what it was does not come
from the width, and is tolerated until it falls or grows. The width grows by time: by a sixteenth
for each second without a cut in which it was used. Below its goal, which is the ceiling until the
first cut, it doubles each round trip instead. A 5xx pauses growth: for a second in six where they
come by chance. Where nothing but 5xx comes, the endpoint is down, and is asked again after waits
that double to 2 s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["FLOOR", "GROWTH", "PAUSE_S", "TOLERATED", "Width"]

FLOOR = 2.0
TOLERATED, SPARE = 0.1, 2  # a share of a round trip, and calls beside it, that chance may refuse
GROWTH, LEAST_GROWTH, CLEAN_S = 1 / 16, 0.35, 1.0
PAUSE_S = 5.0  # without growth where more 5xx came than by chance
_DOWN = 8  # 5xx in a row, and half the width, after which an endpoint is down
# 5xx in a row after a wait that show that it still is: twice as many after each of the longest
# waits, so that every question is given up in the end where it stays down
_STILL_DOWN, _MOST_STILL_DOWN = 2, 256
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.25, 2.0
_CLOSED = 0.9  # refused to this share, it is shut for a while, and the width is not a cause
_SOON = 20  # round trips after a cut, within which another makes it doubtful that cuts help
# doubtful cuts before a trial; times as many after one with less, or with more, that showed that
# the width is the cause
_DOUBTS, _AFTER_LESS, _AFTER_MORE, _MOST_DOUBTS = 2, 3, 8, 64
_BELOW = 0.8  # of the width that refusals would leave, at which a limiter refuses nothing
_MORE = 4  # places that are added to a width too small for less
_TRIED, _NONE_OF, _TRIED_MORE = (
    30,
    16,
    10,
)  # outcomes of a trial with less, if none is refused; more
_SPARE_OF_LIMITER = 0.5  # in place of SPARE where a trial has shown that the width is the cause
_LASTING = 2.0  # standard errors by which a round trip may exceed a share that is tolerated
_FEW = 4  # refusals that make most of a small round trip
_SAMPLE = 20  # outcomes that show a share of a tenth from chance
_SATURATION_FROM = 32  # below this, the noise of a round trip's length hides whether growth helped
_LATEST = 0.2  # the weight of the newest answer in the usual time of one


@dataclass(slots=True)
class _Round:
    """One round trip: its beginning and width, whether it took all places, what came back."""

    began: float
    width: int
    full: bool
    answered: int = 0
    refused: int = 0
    failed: int = 0

    @property
    def share(self) -> float:
        return self.refused / max(1, self.refused + self.answered)


class Width:
    """Calls that may be in flight: `value`. Each report returns why it changed, or None.

    All times are of one monotonic clock; `full`: whether every place is taken at that moment.
    """

    def __init__(self, now: float, start: float, ceiling: float) -> None:
        self.value = min(start, ceiling)
        self.latency_s = 0.0  # the usual time of an answer; 0 before the first
        self.shut = False  # most of the newest round trip was refused
        self._ceiling = self._goal = ceiling
        self._round = _Round(now, int(self.value), False)
        self._cut_at = self._paused_until = self._asked_again_at = float("-inf")
        self._failed_in_a_row = 0
        self._still_down = _STILL_DOWN
        self._wait_s = 0.0  # the newest wait of an endpoint that is down, 0 where it is not
        self._grown_at = now
        self._used = False  # all places were taken since it last grew
        self._best_rate, self._idle_rounds = 0.0, 0
        self._tolerated = TOLERATED
        self._since_cut = _SOON + 1  # round trips
        self._trial: tuple[float, _Round] | None = None  # the width before, and what showed it
        self._doubts, self._needed = 0, _DOUBTS
        self._limited = False  # a trial has shown that the width is the cause

    def filled(self) -> None:
        """Every place is taken."""
        self._round.full = self._used = True

    def answered(self, now: float, sent_at: float, full: bool) -> str | None:
        """An answer came to a call that was sent at `sent_at`."""
        took, round_ = max(0.0, now - sent_at), self._round
        self._failed_in_a_row, self._wait_s, self._still_down = 0, 0.0, _STILL_DOWN
        usual = self.latency_s or took
        self.latency_s = usual + _LATEST * (took - usual)
        round_.answered += 1
        grown = None
        if now >= self._paused_until and not self.crowded and self._trial is None:
            if self._slow_start and round_.full:
                self.value = min(self.value + 1, self._goal)
            elif not self._slow_start and self._used and now >= self._grown_at + CLEAN_S:
                grown = self._grow(now)
        return self._end(now, full) or grown

    def refused(self, now: float, sent_at: float, full: bool) -> str | None:
        """A 429 came to a call sent at `sent_at`; those sent before the newest cut belong to it."""
        if sent_at <= self._cut_at:
            return None
        self._round.refused += 1
        return self._end(now, full)

    def held_back(self, until: float) -> None:
        """Nothing is sent until then: that time says nothing."""
        self._asked_again_at = self._grown_at = until
        self._round = _Round(until, int(self.value), False)

    def failed(self, now: float, sent_at: float) -> str | None:
        """A 5xx came: no growth for five seconds where more came than by chance, else for one
        second in six. Those sent before the newest wait of an endpoint that is down belong to it.
        """
        if sent_at < self._asked_again_at:
            return None
        reason = "server_error" if now >= self._paused_until else None
        self._round.failed += 1
        if self._round.failed > self._allowed(self._round):
            self._paused_until = max(self._paused_until, now + PAUSE_S)
        elif now >= self._paused_until + PAUSE_S:
            self._paused_until = now + CLEAN_S
        else:
            return None
        return reason

    def down(self, now: float, sent_at: float) -> float:
        """Seconds that everything waits because nothing but 5xx comes; 0 where it does not.

        sent_at: when the call was sent that failed.
        """
        if sent_at < self._asked_again_at:
            return 0.0
        self._failed_in_a_row += 1
        shown_by = self._still_down if self._wait_s else max(_DOWN, self.value / 2)
        if self._failed_in_a_row < shown_by:
            return 0.0
        self._failed_in_a_row, self._paused_until = 0, now  # the width is not a cause
        if self._wait_s == _LONGEST_WAIT_S:
            self._still_down = min(2 * self._still_down, _MOST_STILL_DOWN)
        self._wait_s = min(max(_FIRST_WAIT_S, 2 * self._wait_s), _LONGEST_WAIT_S)
        return self._wait_s

    @property
    def crowded(self) -> bool:
        """More of this round trip was refused than comes by chance."""
        round_ = self._round
        return round_.refused > self._allowed(round_)

    # -- inside

    @property
    def _slow_start(self) -> bool:
        return self.value < self._goal

    def _allowed(self, round_: _Round) -> float:
        counted, share = round_.refused + round_.answered, self._tolerated
        noise = math.sqrt(counted * share * (1 - share)) if share > TOLERATED else 0.0
        spare = _SPARE_OF_LIMITER if self._limited else SPARE
        return share * counted + spare + _LASTING * noise

    def _end(self, now: float, full: bool) -> str | None:
        """What the round trip says, where it is over."""
        round_ = self._round
        if now < self._cut_at + self.latency_s:
            return None
        counted = round_.answered + round_.refused + round_.failed
        clear = round_.share > 0.5 or self._slow_start
        enough = round_.width if clear else max(round_.width, _SAMPLE)
        if self._trial is not None:
            least = _TRIED if round_.refused else _NONE_OF
            enough = max(round_.width, least if self.value < self._trial[0] else _TRIED_MORE)
        if counted < enough or now < round_.began + self.latency_s:
            return None
        reason = self._judge(round_, now)
        empty = 0 if reason == "rate_limit" else round_.refused  # such places rest for a while
        self._round = _Round(now, int(self.value) - empty, full)
        return reason

    def _judge(self, round_: _Round, now: float) -> str | None:
        self.shut = round_.share > 0.5 and (self.shut or round_.refused >= _FEW)
        self._since_cut += 1
        if self._trial is not None:
            return self._judge_trial(self._trial, round_, now)
        if round_.refused > self._allowed(round_):
            self._doubts += self._since_cut <= _SOON
            self._since_cut = 0
            if self._doubts >= self._needed and self._try_another(round_, now):
                return "rate_limit"
            return self._cut(now, self.value, round_.share)
        if round_.share < self._tolerated / 2 and round_.refused + round_.answered >= _SAMPLE:
            self._tolerated = TOLERATED
        return self._judge_growth(round_, now) if self._slow_start and round_.full else None

    def _try_another(self, round_: _Round, now: float) -> bool:
        """Begin a trial with less, or with more where the width is small; False if none can be."""
        less = self.value * (1 - round_.share) * _BELOW
        more = min(self.value + _MORE, self._ceiling)
        width = less if less >= 2 * FLOOR else more
        if round_.share > 0.5 or self.value <= width < self.value + FLOOR:
            return False
        self._trial, self._doubts, self._cut_at = (self.value, round_), 0, now
        self.value = self._goal = width
        return True

    def _judge_trial(self, trial: tuple[float, _Round], round_: _Round, now: float) -> str:
        """Whether as many are refused with another width as before."""
        (width, before), self._trial, self._since_cut = trial, None, 0
        least, share, more = before.share / 4, round_.share, self.value > width
        by_width = 1 - (1 - before.share) * width / self.value  # of a limiter, with more
        most = (before.share + by_width) / 2 if more else 1.1 * before.share
        if least < share <= most:
            refused = before.refused + round_.refused
            found = refused / (refused + before.answered + round_.answered)
            self._tolerated, self._limited, self._needed = max(TOLERATED, found), False, _DOUBTS
            self.value, self._goal, self._grown_at = max(width, self.value), self._ceiling, now
            return "scattered"
        if more or share <= least:
            times = _AFTER_MORE if more else _AFTER_LESS
            self._limited, self._needed = True, min(times * self._needed, _MOST_DOUBTS)
            return self._cut(now, width, before.share)
        return self._cut(now, width if share > 0.5 else self.value, share)

    def _cut(self, now: float, before: float, share: float) -> str:
        self._cut_at = self._grown_at = now
        self._tolerated = TOLERATED
        # to the width at which a limiter refuses no more than what is tolerated
        self.value = max(FLOOR, before * (1 - share) / (1 - TOLERATED))
        if share >= _CLOSED:
            self._goal = max(self._goal, before)
        else:
            self._goal = self.value if share <= 0.5 else (before + self.value) / 2
        return "rate_limit"

    def _grow(self, now: float) -> str:
        self.value = min(self.value + max(LEAST_GROWTH, self.value * GROWTH), self._ceiling)
        self._goal = self.value
        self._grown_at, self._used = now, False
        return "clean_second"

    def _judge_growth(self, round_: _Round, now: float) -> str:
        """End the slow start after two round trips that were not faster than the best before."""
        rate = round_.answered / max(now - round_.began, 1e-9)
        gained = rate > self._best_rate * 1.1
        self._best_rate = max(self._best_rate, rate)
        self._idle_rounds = 0 if gained or self.value < _SATURATION_FROM else self._idle_rounds + 1
        if self._idle_rounds >= 2:
            self._goal = self.value
            return "saturated"
        return "slow_start"
