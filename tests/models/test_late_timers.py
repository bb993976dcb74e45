"""What is soon over is given no timer; what is not has one by the time that was said."""

from __future__ import annotations

import asyncio

from promptops.models.late_timers import LateTimers

AFTER_S = 0.05


def test_only_what_outlives_a_while_is_given_a_timer() -> None:
    """Each once, also where something begins between two looks."""

    async def run() -> list[str]:
        given: list[str] = []
        timers = LateTimers[str](AFTER_S, given.append)
        for number in range(100):
            timers.begin(f"short {number}")
            await asyncio.sleep(0)
            timers.end(f"short {number}")
        timers.begin("long")
        await asyncio.sleep(AFTER_S * 3)
        timers.begin("later")
        timers.begin("over")
        timers.end("over")
        await asyncio.sleep(AFTER_S * 3)
        timers.end("long")
        timers.end("later")
        return given

    assert asyncio.run(run()) == ["long", "later"]


def test_one_timer_of_the_loop_serves_all() -> None:
    """However many begin, the loop has one timer more, and none once nothing is watched."""

    async def run() -> tuple[int, int]:
        loop, made = asyncio.get_running_loop(), list[float]()
        call_later = loop.call_later

        def counted(delay: float, *rest: object) -> asyncio.TimerHandle:
            made.append(delay)
            return call_later(delay, *rest)  # type: ignore[arg-type]

        loop.call_later = counted  # type: ignore[method-assign, assignment]
        timers = LateTimers[int](AFTER_S, lambda _: None)
        for number in range(1000):
            timers.begin(number)
            timers.end(number)
        first = len(made)
        loop.call_later = call_later  # type: ignore[method-assign]
        await asyncio.sleep(AFTER_S * 3)
        loop.call_later = counted  # type: ignore[method-assign, assignment]
        await asyncio.sleep(0)
        return first, len(made)

    assert asyncio.run(run()) == (1, 1)
