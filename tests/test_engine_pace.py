"""Concurrency is found out: a slow start, a cut at a 429 episode, a cooldown, then 5 % a clean round. Time is injected."""

from __future__ import annotations

import asyncio

import pytest

from promptops.engine.pace import CEILING, COOLDOWN_S, START, Pace, reset_seconds
from tests.faults.server import JumpClock


def rounds(pace: Pace, clock: JumpClock, count: int, latency_s: float = 1.0) -> None:
    """So many rounds of a server without any limit: all places taken, time passes, all answered."""
    for _ in range(count):
        while pace.try_enter():
            pass
        sent = clock.now()
        clock.jump(latency_s)
        for _ in range(pace.in_flight):
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


def test_one_429_episode_is_one_cut() -> None:
    """Fifty calls that were in flight together and all come back with 429 cut the limit once, to 0.8 of it."""
    clock = JumpClock()
    pace = Pace(clock)
    rounds(pace, clock, 4)
    before, sent = pace.limit, clock.now()
    clock.jump(1)
    for _ in range(50):
        pace.limited(sent)
    assert pace.limit == int(before * 0.8)
    assert [change.reason for change in pace.history].count("rate_limit") == 1
    clock.jump(1)
    sent = clock.now()
    clock.jump(1)
    pace.limited(sent)
    assert pace.limit == int(before * 0.8 * 0.8)


def test_after_the_cooldown_it_grows_by_a_twentieth_a_round() -> None:
    """No growth within 15 s of the cut, then x1.05 for each round without a 429."""
    clock = JumpClock()
    pace = Pace(clock)
    rounds(pace, clock, 5)
    pace.limited(clock.now())
    assert pace.limit == 160
    rounds(pace, clock, 5)
    assert pace.limit == 160
    clock.jump(COOLDOWN_S)
    rounds(pace, clock, 2)
    assert pace.limit in (168, 176)
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


def test_it_never_falls_below_one() -> None:
    """However many 429s: one call at a time is still asked."""
    clock = JumpClock()
    pace = Pace(clock)
    for _ in range(100):
        clock.jump(1)
        pace.limited(clock.now() - 0.5)
    assert pace.limit == 1
    assert pace.try_enter()


def test_a_number_of_the_callers_is_kept() -> None:
    """Fixed concurrency neither grows nor shrinks."""
    clock = JumpClock()
    pace = Pace(clock, fixed=200)
    rounds(pace, clock, 3)
    pace.limited(clock.now())
    assert pace.limit == 200


def test_places_are_given_in_line_and_a_cancelled_wait_takes_none() -> None:
    """At most `limit` are inside; who waited longest goes first; a place handed to a cancelled call is given on."""

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
    """The provider's own headers: nothing is sent before the reset, which is waited for at most 60 s."""

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
