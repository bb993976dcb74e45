"""Concurrency is found out: a slow start, cuts in proportion, growth by time. Time is injected."""

from __future__ import annotations

import asyncio

import pytest

from promptops.engine.adaptive_concurrency import CEILING, START, Pace, reset_seconds
from promptops.engine.width import FLOOR, GROWTH
from tests.faults.server import JumpClock


def rounds(
    pace: Pace,
    clock: JumpClock,
    count: int,
    latency_s: float = 1.0,
    refused: float = 0.0,
) -> None:
    """All places taken, time passes, all come back, the first of them as 429s to this share."""
    for _ in range(count):
        while pace.try_enter():
            pass
        sent, sent_now = clock.now(), pace.in_flight
        clock.jump(latency_s)
        for number in range(sent_now):
            if number < refused * sent_now:
                pace.limited(sent)
            else:
                pace.answered(sent)
            pace.leave()


def test_it_starts_slow_and_doubles_to_the_ceiling() -> None:
    """8, 16, 32, 64, 128, 200, and no further."""
    clock = JumpClock()
    pace = Pace(clock)
    seen = [pace.limit]
    for _ in range(6):
        rounds(pace, clock, 1)
        seen.append(pace.limit)
    assert seen == [8, 16, 32, 64, 128, 200, 200]
    assert START == 8
    assert CEILING == 200


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_a_round_trip_cuts_once_in_proportion_to_what_it_was_refused(share: float) -> None:
    """A quarter refused costs about a quarter, once; 429s of calls sent before do not count."""
    clock = JumpClock()
    pace = Pace(clock)
    rounds(pace, clock, 4)
    before, sent = pace.limit, clock.now()
    rounds(pace, clock, 1, refused=share)
    assert pace.limit == pytest.approx(before * (1 - share), rel=0.12)
    after = pace.limit
    for _ in range(50):
        pace.limited(sent)
    assert pace.limit == after
    assert [change.reason for change in pace.history].count("rate_limit") == 1


def test_scattered_429s_cut_nothing_and_stop_no_growth() -> None:
    """One in thirty refused, in every round: it grows to the ceiling as if there were none."""
    clock = JumpClock()
    pace = Pace(clock)
    rounds(pace, clock, 8, refused=0.033)
    assert pace.limit == CEILING
    assert "rate_limit" not in [change.reason for change in pace.history]


def test_after_a_cut_it_grows_by_time() -> None:
    """A sixteenth for each second without a cut, however many rounds the second had."""
    clock = JumpClock()
    pace = Pace(clock)
    rounds(pace, clock, 5)
    rounds(pace, clock, 1, refused=0.4)
    cut = pace.limit
    assert cut < 140
    rounds(pace, clock, 9, latency_s=0.1)
    assert pace.limit == cut
    rounds(pace, clock, 20, latency_s=0.1)
    assert cut * (1 + GROWTH) - 1 <= pace.limit <= cut * (1 + GROWTH) ** 3
    rounds(pace, clock, 20)
    assert pace.limit == 200


def test_a_5xx_pauses_growth_and_cuts_nothing() -> None:
    """A server that fails is not asked for more, and not for less."""
    clock = JumpClock()
    pace = Pace(clock)
    rounds(pace, clock, 2)
    pace.server_failed()
    rounds(pace, clock, 3, latency_s=0.1)
    assert pace.limit == 32
    assert "server_error" in [change.reason for change in pace.history]
    assert "rate_limit" not in [change.reason for change in pace.history]
    clock.jump(5)
    rounds(pace, clock, 1)
    assert pace.limit > 32


def test_it_never_falls_below_two_and_comes_back_fast() -> None:
    """However many 429s, two calls at a time are asked; after a shutdown it doubles again."""
    clock = JumpClock()
    pace = Pace(clock)
    rounds(pace, clock, 4)
    before = pace.limit
    rounds(pace, clock, 50, refused=1.0)
    assert pace.limit == FLOOR == 2
    assert pace.try_enter()
    pace.leave()
    rounds(pace, clock, 8)
    assert pace.limit >= before / 2


def test_only_where_most_are_refused_does_everything_wait() -> None:
    """Retry-After of one call in eight is its own; that of seven holds all, who then go in turn."""
    for refused, held in ((1, False), (7, True)):
        clock = JumpClock()
        pace = Pace(clock)
        sent = clock.now()
        while pace.try_enter():
            pass
        clock.jump(0.5)
        for number in range(8):
            if number < 8 - refused:
                pace.answered(sent)
            else:
                pace.limited(sent, 30.0)
            pace.leave()
        assert pace.try_enter() is not held
        clock.jump(29.9)
        assert pace.try_enter() is not held
        clock.jump(0.2)
        assert pace.try_enter()
        if held:
            assert not pace.try_enter()
            clock.jump(1.0)
            assert pace.try_enter()


def test_a_number_of_the_callers_is_kept() -> None:
    """Fixed concurrency neither grows nor shrinks."""
    clock = JumpClock()
    pace = Pace(clock, fixed=200)
    rounds(pace, clock, 3, refused=0.9)
    assert pace.limit == 200
    assert len(pace.history) == 1


def test_places_are_given_in_line_and_a_cancelled_wait_takes_none() -> None:
    """At most `limit` are inside; who waited longest goes first; a place handed to a cancelled call
    is given on.
    """

    async def story() -> list[int]:
        pace, order = Pace(JumpClock(), fixed=1), []

        async def enter(name: int) -> None:
            await pace.enter()
            order.append(name)
            assert pace.in_flight == 1
            await asyncio.sleep(0)
            pace.leave()

        tasks = [asyncio.create_task(enter(name)) for name in range(5)]
        await asyncio.sleep(0)
        tasks[2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert pace.in_flight == 0
        return order

    assert asyncio.run(story()) == [0, 1, 3, 4]


def test_an_empty_quota_holds_everything_until_its_reset() -> None:
    """The provider's own headers: nothing is sent before the reset, which is waited for at most 60
    s.
    """

    async def story() -> None:
        clock = JumpClock()
        pace = Pace(clock)
        pace.read({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"})
        assert not pace.try_enter()
        await pace.enter()
        assert clock.slept == [60.0]
        pace.read({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "10s"})
        assert pace.try_enter()
        pace.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("20ms", 0.02),
        ("1h2m", 3720.0),
        ("1.5", 1.5),
        ("0", 0.0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("nan", None),
    ],
)
def test_reset_headers_are_read_in_their_forms(text: str, seconds: float | None) -> None:
    """Durations as OpenAI writes them, or seconds; anything else holds nothing back."""
    assert reset_seconds(text) == seconds
