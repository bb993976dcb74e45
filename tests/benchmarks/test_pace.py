"""The pace that finds itself, beside openai's own client with its retries and 16 calls in flight,
on one loopback server.

Answers take 0.2 s; refusals carry Retry-After 1. Scattered, bursts, a token bucket: at most 1.1
times the client's time on each, and at most 1.3 times the calls that the bucket allows, counted
at the server. Under a minute in all.

The bucket's rate decides how long either side takes, but for the end: whether the last questions
are refused, and so wait another second of some nine, is chance. Several pairs run there at the same
time, each with servers of its own, and their medians are compared.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import pytest

from promptops.engine.sweep import Question, Sweep
from promptops.models.endpoint import EndpointModel
from promptops.models.protocol import Call
from tests.faults.server import FaultServer, Say, Seen, completion, error
from tests.faults.virtual import Rule, bucket, bursts, scattered

pytestmark = pytest.mark.benchmark

LATENCY_S, WIDTH = 0.2, 16
COUNT = 480
SHAPES = {  # the rule, and how many pairs run
    "0.5 % scattered": (lambda: scattered(0.005), 1),
    "3.4 % scattered": (lambda: scattered(0.034), 1),
    "shut for 0.5 s in 3": (lambda: bursts(3.0, 0.5, first=1.0), 1),
    "60 a second": (lambda: bucket(60, 10), 5),
}


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    """Both sides have what they import: it would keep the interpreter from the other one, whose
    clock runs.
    """
    import aiohttp
    import openai

    assert aiohttp, openai


class Script:
    """The server's side: the rule over the seconds since the first request."""

    def __init__(self, rule: Rule) -> None:
        self._rule, self._chance, self._began = rule, random.Random(7), 0.0

    def __call__(self, seen: Seen) -> Say:
        now = time.monotonic()
        self._began = self._began or now
        if self._rule(now - self._began, self._chance):
            return Say(429, error("slow down", "rate_limit_exceeded"), {"Retry-After": "1"})
        return Say(200, completion("yes"), wait_s=LATENCY_S)


def asking(number: int) -> Any:
    return [{"role": "user", "content": str(number)}]


async def openai_client(url: str, count: int) -> float:
    """Seconds of the client, which retries by itself."""
    import openai

    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=10) as client:
        room = asyncio.Semaphore(WIDTH)

        async def one(number: int) -> None:
            async with room:
                await client.chat.completions.create(model="m", messages=asking(number))

        began = time.perf_counter()
        await asyncio.gather(*(one(number) for number in range(count)))
        return time.perf_counter() - began


async def ours(url: str, count: int) -> float:
    """Seconds of a sweep whose concurrency is found out."""
    model = EndpointModel(base_url=url, api_key="none")

    def questions() -> Iterator[Question]:
        for number in range(count):
            name = str(number)
            call = Call({"model": "m", "messages": asking(number)}, example_id=name)
            yield Question(call, model, f"k1:{name}", "p", "p1", "m", name, "f")

    sweep = Sweep(questions(), record=lambda runs, attempts: None)
    began = time.perf_counter()
    await sweep.run()
    took = time.perf_counter() - began
    await model.aclose()
    assert (sweep.progress.done, sweep.progress.failures) == (count, 0)
    return took


@pytest.mark.parametrize("shape", SHAPES)
def test_at_most_a_tenth_slower(shape: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The same questions of the same kind of server, at the same time: both only wait."""
    make, pairs = SHAPES[shape]

    def asked(side: Callable[[str, int], Coroutine[Any, Any, float]]) -> tuple[float, int]:
        with FaultServer(Script(make())) as server:
            seconds = asyncio.run(side(server.url, COUNT))
            assert server.broken == []
            return seconds, len(server.seen)

    with ThreadPoolExecutor(2 * pairs) as pool:
        found = list(pool.map(asked, (openai_client, ours) * pairs))
    theirs, mine = found[::2], found[1::2]
    took, beside = (median(seconds for seconds, _ in side) for side in (mine, theirs))
    requests, retried = (max(count for _, count in side) for side in (mine, theirs))
    with capsys.disabled():
        print(
            f"\n{shape}, {COUNT} questions, {pairs} at once: {took:.1f} s with {requests} requests,"
            f" openai's client {beside:.1f} s with {retried}: {took / beside:.2f}x"
        )
    assert took / beside <= 1.1
    if shape == "60 a second":
        assert requests <= 1.3 * COUNT
