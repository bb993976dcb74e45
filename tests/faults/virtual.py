"""Hours of calls in a moment: a loop whose time jumps, servers that refuse by a rule, openai's
way.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from promptops.engine.adaptive_concurrency import Pace
from promptops.engine.breaker import Breaker
from promptops.engine.budget import Budget
from promptops.engine.question import Limits, Question
from promptops.engine.retries import Caller
from promptops.errors import CallError
from promptops.models.protocol import Call, Reply

T = TypeVar("T")


class _Jump(selectors.SelectSelector):
    """Waits for nothing: the time that would pass is added."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "the simulation waits for something that will never come"
        self.passed += max(0.0, timeout)
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.passed


class LoopClock:
    """The clock of the loop that runs."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return 1.8e9 + self.now()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def virtually(story: Coroutine[Any, Any, T]) -> T:
    """Run it in a time that takes none."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(story)


Rule = Callable[[float, random.Random], bool]
"""Whether a request at this second is refused."""


def scattered(share: float) -> Rule:
    return lambda at, rng: rng.random() < share


def bursts(every_s: float, length_s: float, first: float = 2.0) -> Rule:
    return lambda at, rng: at >= first and (at - first) % every_s < length_s


def bucket(rate: float, size: float) -> Rule:
    state = {"tokens": size, "at": 0.0}

    def refused(at: float, rng: random.Random) -> bool:
        state["tokens"] = min(size, state["tokens"] + rate * (at - state["at"]))
        state["at"] = at
        if state["tokens"] < 1:
            return True
        state["tokens"] -= 1
        return False

    return refused


class Server:
    """A model behind the rule. requests: all that came; latency of an answer and of a refusal."""

    remote, label = True, "virtual"

    def __init__(
        self,
        rule: Rule,
        latency_s: float = 0.2,
        refusal_s: float = 0.002,
        retry_after_s: float | None = 1.0,
        failure: str = "rate_limit",
    ) -> None:
        self._failure = failure
        self._rule, self._latency_s = rule, latency_s
        self._refusal_s, self._retry_after_s = refusal_s, retry_after_s
        self._chance = random.Random(7)
        self.requests = self.refusals = 0

    async def complete(self, call: Call) -> Reply:
        self.requests += 1
        if self._rule(asyncio.get_running_loop().time(), self._chance):
            self.refusals += 1
            await asyncio.sleep(self._refusal_s)
            wait, failure = self._retry_after_s, self._failure
            code = {"rate_limit": "429", "server_error": "503", "overloaded": "529"}[failure]
            raise CallError("slow down", failure=failure, code=code, retry_after_s=wait)
        await asyncio.sleep(self._latency_s * self._chance.uniform(0.8, 1.2))
        return Reply("yes")

    def check(self, request: Any) -> None: ...

    async def aclose(self) -> None: ...


Paced = tuple[float, Pace, int]


async def paced(server: Server, count: int, make: Callable[[LoopClock], Pace] = Pace) -> Paced:
    """Seconds that `count` questions took as a sweep asks them, the pace, how many were not
    answered.
    """
    clock = LoopClock()
    pace, tasks, left, failed = make(clock), set[asyncio.Task[Any]](), iter(range(count)), 0
    over = asyncio.Event()

    def pump() -> None:
        while len(tasks) < pace.limit + min(who.waiting, 1024):
            number = next(left, None)
            if number is None:
                break
            call, key = Call({"model": "m", "messages": []}), str(number)
            question = Question(call, server, key, "p", "v", "m", key, "f")
            task = asyncio.create_task(who.ask(question))
            tasks.add(task)
            task.add_done_callback(ended)
        if not tasks:
            over.set()

    def ended(task: asyncio.Task[Any]) -> None:
        nonlocal failed
        tasks.discard(task)
        failed += task.result()[0].failure is not None
        pump()

    rng = random.Random(3)
    who = Caller(
        Limits(),
        pace,
        Budget(),
        Breaker("x"),
        clock=clock,
        rng=rng,
        on_wait=pump,
    )
    pump()
    await over.wait()
    pace.close()
    return clock.now(), pace, failed


async def openai_like(server: Server, count: int, width: int = 16) -> float:
    """Seconds that openai's client takes with its own retries: a call that waits keeps its
    place.
    """
    left = iter(range(count))

    async def worker() -> None:
        rng = random.Random(5)
        for _ in left:
            tried = 0
            while True:
                try:
                    await server.complete(Call({}))
                    break
                except CallError as refused:
                    after = refused.retry_after_s
                    backoff = min(0.5 * 2**tried, 8.0) * (1 - 0.25 * rng.random())
                    await asyncio.sleep(after if after is not None and 0 < after <= 60 else backoff)
                    tried += 1

    await asyncio.gather(*(worker() for _ in range(width)))
    return asyncio.get_running_loop().time()
