"""The pace beside openai's way of retrying, on simulated servers that refuse at random, in bursts,
or by a token bucket.

Openai's way: 16 in flight, and a call that waits for Retry-After keeps its place. Ours takes at
most 1.1 times its time on each and at most 1.3 times the calls that a limiter allows. The rule of
0.1 is here as the variant that fails.
"""

from __future__ import annotations

import asyncio

import pytest

from promptops.engine.adaptive_concurrency import Pace
from promptops.engine.clock import Clock
from promptops.models.protocol import Call, Reply
from tests.faults.virtual import (
    Rule,
    Server,
    bucket,
    bursts,
    openai_like,
    paced,
    scattered,
    virtually,
)

LIMITED = {
    "80 a second, few at once": (lambda: Server(bucket(80, 10)), 1600),
    "40 a second, few at once": (lambda: Server(bucket(40, 10)), 800),
    "40 a second, a second's worth at once": (lambda: Server(bucket(40, 40)), 800),
    "40 a second, slow refusals": (lambda: Server(bucket(40, 10), refusal_s=0.2), 800),
    "40 a second, no Retry-After": (lambda: Server(bucket(40, 10), retry_after_s=None), 800),
    "10 a second": (lambda: Server(bucket(10, 5)), 300),
    "8 a second, answers take 2 s": (lambda: Server(bucket(8, 5), latency_s=2.0), 600),
}


def failing(
    rule: Rule, failure: str = "server_error", retry_after_s: float | None = None
) -> Server:
    return Server(rule, retry_after_s=retry_after_s, failure=failure)


SHAPES = {
    "none refused": (lambda: Server(scattered(0.0)), 1200),
    "0.5 % scattered": (lambda: Server(scattered(0.005)), 1500),
    "3.4 % scattered": (lambda: Server(scattered(0.034)), 1500),
    "3.4 % scattered, slow refusals": (lambda: Server(scattered(0.034), refusal_s=0.2), 1200),
    "3.4 % scattered, Retry-After 60": (lambda: Server(scattered(0.034), retry_after_s=60.0), 1200),
    "10 % scattered": (lambda: Server(scattered(0.1)), 1200),
    "15 % scattered": (lambda: Server(scattered(0.15)), 1200),
    "20 % scattered, no Retry-After": (
        lambda: Server(scattered(0.2), retry_after_s=None),
        1200,
    ),
    "30 % scattered": (lambda: Server(scattered(0.3)), 1200),
    "40 % scattered, slow refusals": (lambda: Server(scattered(0.4), refusal_s=0.2), 1200),
    "shut for 1 s in 5, from the start": (lambda: Server(bursts(5.0, 1.0, first=0.0)), 1600),
    "shut for 0.3 s in 3": (lambda: Server(bursts(3.0, 0.3)), 1600),
    "shut for 2 s in 6": (lambda: Server(bursts(6.0, 2.0, first=1.0)), 2400),
    "3.4 % scattered, answers take 10 s": (lambda: Server(scattered(0.034), latency_s=10.0), 400),
    "shut for 0.3 s in 2, answers take 2 s": (
        lambda: Server(bursts(2.0, 0.3, first=1.0), latency_s=2.0),
        600,
    ),
    "529 on 3.4 % scattered": (lambda: failing(scattered(0.034), "overloaded"), 1200),
    "529 on 10 % scattered": (lambda: failing(scattered(0.1), "overloaded"), 1200),
    "503 on 2 % scattered, Retry-After 10": (
        lambda: failing(scattered(0.02), retry_after_s=10.0),
        1200,
    ),
    "503 on everything for 1 s in 5": (lambda: failing(bursts(5.0, 1.0, first=0.0)), 1600),
    "503 on everything for 8 s": (lambda: failing(bursts(1e9, 8.0, first=1.0)), 1500),
    "503 on everything for 20 s": (lambda: failing(bursts(1e9, 20.0, first=1.0)), 1500),
    **LIMITED,
}


class RuleOf01(Pace):
    """What stood here: x0.8 a 429 of a call sent after the newest cut, 15 s still, x1.05 a
    round.
    """

    def __init__(self, clock: Clock) -> None:
        self._now, self._wide, self._slow = clock.now, 8.0, True
        self._cut_at, self._until, self._count = -1.0, 0.0, 0
        super().__init__(clock)

    @property
    def limit(self) -> int:
        return max(1, int(self._wide))

    def answered(self, sent_at: float) -> None:
        self._count += 1
        if self._now() >= self._until and (self._slow or self._count >= self.limit):
            self._wide = min(self._wide + 1 if self._slow else self._wide * 1.05, 200.0)
        if self._count >= self.limit:
            self._count = 0

    def limited(self, sent_at: float, retry_after_s: float | None = None) -> None:
        if sent_at > self._cut_at:
            self._slow, self._cut_at, self._wide = False, self._now(), max(1.0, self._wide * 0.8)
            self._until, self._count = self._now() + 15.0, 0


@pytest.mark.parametrize("shape", SHAPES)
def test_at_most_a_tenth_slower_than_openais_client(shape: str) -> None:
    """Every question answered within 1.1 times the time; at most 1.3 times the calls of a
    limiter.
    """
    make, count = SHAPES[shape]
    mine, other = make(), make()
    took, _, failed = virtually(paced(mine, count))
    beside = virtually(openai_like(other, count))
    assert failed == 0
    assert took <= 1.1 * beside
    if shape in LIMITED:
        assert mine.requests <= 1.3 * count


@pytest.mark.parametrize(("seconds", "most"), [(8.0, 400), (20.0, 900)])
def test_an_outage_is_asked_seldom_and_its_end_is_noticed_soon(seconds: float, most: int) -> None:
    """Grown to a hundred calls at once, then 503 on everything: few requests, and work goes on
    within three seconds of its end.
    """
    server = failing(bursts(1e9, seconds, first=1.0))
    took, _, failed = virtually(paced(server, 1500))
    assert failed == 0
    assert server.refusals <= most
    undisturbed, _, _ = virtually(paced(Server(scattered(0.0)), 1500))
    assert took <= undisturbed + seconds + 3


@pytest.mark.parametrize("asked_s", [0.0, 0.25, None])
@pytest.mark.parametrize("seconds", [30.0, 120.0])
def test_refusals_that_ask_for_next_to_no_wait_cost_no_question(
    asked_s: float | None, seconds: float
) -> None:
    """Nothing but 429 for two minutes, each with `Retry-After: 0`: 18 % of the questions had failed
    after 32 refusals.
    """
    server = Server(lambda at, rng: at < seconds, latency_s=1.0, retry_after_s=asked_s)
    took, _, failed = virtually(paced(server, 800))
    assert failed == 0
    assert took <= seconds + (20 if asked_s is not None else 60)


def test_an_endpoint_that_stays_down_is_given_up() -> None:
    """503 on everything for ever: 1,500 questions with eight attempts each end in minutes."""
    took, _, failed = virtually(paced(failing(lambda at, rng: True), 1500))
    assert failed == 1500
    assert took < 300


def test_the_rule_of_01_fails_it() -> None:
    """The variant that collapsed is seen to collapse by the same simulation."""
    took, pace, _ = virtually(paced(Server(scattered(0.034)), 1200, RuleOf01))
    assert took > 1.1 * virtually(openai_like(Server(scattered(0.034)), 1200))
    assert pace.limit < 8
    few, _, _ = virtually(paced(Server(scattered(0.005)), 1500, RuleOf01))
    mine, _, _ = virtually(paced(Server(scattered(0.005)), 1500))
    assert few > 3 * mine


def test_a_call_that_waits_holds_no_place() -> None:
    """Three refused calls wait 300 s each; with three places, a hundred others are answered."""
    server = Server(lambda at, rng: at < 0.0001, retry_after_s=300.0)

    async def story() -> float:
        answered: list[float] = []
        count = server.complete

        async def complete(call: Call) -> Reply:
            reply = await count(call)
            answered.append(asyncio.get_running_loop().time())
            return reply

        server.complete = complete  # type: ignore[method-assign]
        _, pace, failed = await paced(server, 103, lambda clock: Pace(clock, fixed=3))
        assert (failed, pace.in_flight, server.refusals) == (0, 0, 3)
        return sorted(answered)[99]

    assert virtually(story()) < 20


def test_a_5xx_now_and_then_stops_no_growth() -> None:
    """One answer in fifty is a 500: it still grows beyond 16."""

    async def story() -> int:
        clock = asyncio.get_running_loop()
        pace = Pace(_Of(clock))
        for number in range(2000):
            while not pace.try_enter():
                await asyncio.sleep(0.01)
            sent = clock.time()

            def back(number: int = number, sent: float = sent) -> None:
                if number % 50 == 49:
                    pace.server_failed()
                else:
                    pace.answered(sent)
                pace.leave()

            clock.call_later(0.2, back)
        await asyncio.sleep(1)
        return pace.limit

    assert virtually(story()) > 16


class _Of:
    """A loop's time as a clock."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.now = loop.time

    def wall(self) -> float:
        return self.now()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
