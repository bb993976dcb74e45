"""The watchdog: a call that crashes, hangs or eats memory harms nothing but its own result."""

from __future__ import annotations

import asyncio
import ctypes
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from promptops.scoring.watchdog import Watchdog


def through(
    function: Any, items: list[Any], *, timeout_s: float = 5.0, memory_mb: int = 4096
) -> tuple[list[Any], list[str]]:
    async def run() -> tuple[list[Any], list[str]]:
        dog = Watchdog(timeout_s, memory_mb, 2)
        results = await dog.each("f", function, items)
        return results, dog.close()

    return asyncio.run(run())


def test_results_in_order_and_exceptions_as_values() -> None:
    """Every item has its result or its exception, in order; system exits and interrupts are only
    results too.
    """

    def call(item: int) -> int:
        if item % 3 == 0:
            raise ValueError(item)
        if item == 4:
            raise SystemExit(1)
        return item * 10

    results, left = through(call, list(range(8)))
    assert left == []
    assert [result for result in results if isinstance(result, int)] == [10, 20, 50, 70]
    assert [type(result) for result in results[::3]] == [ValueError] * 3
    assert isinstance(results[4], SystemExit)


def test_a_hung_call_is_cut_off_and_the_rest_goes_on() -> None:
    """A Python loop beyond its time ends with TimeoutError, even when it swallows exceptions; its
    thread ends.
    """

    def call(item: int) -> int:
        while item == 1:
            try:
                time.sleep(0.01)
            except Exception:
                continue
        return item

    results, left = through(call, [0, 1, 2], timeout_s=0.3)
    assert results[0] == 0
    assert results[2] == 2
    assert isinstance(results[1], TimeoutError)
    assert left == []


def test_memory_is_watched() -> None:
    """A call that lets the process grow beyond the limit is cut off with MemoryError."""

    def call(item: int) -> int:
        kept = []
        for _ in range(400 if item else 0):
            kept.append(bytearray(8 << 20))
            kept[-1][::4096] = b"x" * len(kept[-1][::4096])
            time.sleep(0.01)
        return item

    results, _ = through(call, [0, 1, 0], timeout_s=30.0, memory_mb=256)
    assert isinstance(results[1], MemoryError)
    assert results[0] == results[2] == 0


def test_a_coroutine_that_blocks_its_loop_blocks_no_other() -> None:
    """Users' coroutines run in a loop of their own; a blocking one is cut off and the next one is
    served.
    """

    async def run() -> list[Any]:
        dog = Watchdog(0.4, 4096, 4)

        async def good() -> int:
            await asyncio.sleep(0)
            return 7

        async def blocks() -> int:
            until = time.monotonic() + 20
            while time.monotonic() < until:
                time.sleep(0.01)
            return 1

        async def raises() -> int:
            raise TimeoutError("its own")

        async def fresh() -> Any:
            raise AssertionError("no call lost its loop through another one")

        found: list[Any] = [await dog.wait_for("good", good(), fresh)]
        for name, coroutine in (("blocks", blocks()), ("raises", raises())):
            try:
                found.append(await dog.wait_for(name, coroutine, fresh))
            except TimeoutError as error:
                found.append(str(error))
        found.append(await dog.wait_for("good", good(), fresh))
        dog.close()
        return found

    started = time.monotonic()
    assert asyncio.run(run()) == [7, "took longer than 0.4 s and was cut off", "its own", 7]
    assert time.monotonic() - started < 15


def test_threads_end() -> None:
    """After close, no worker thread of an ended call is left."""
    through(lambda item: item, list(range(10)))
    until = time.monotonic() + 5
    while time.monotonic() < until and any(
        thread.name == "promptops-scorer" for thread in threading.enumerate()
    ):
        time.sleep(0.05)
    assert not any(thread.name == "promptops-scorer" for thread in threading.enumerate())


@pytest.mark.parametrize("concurrency", [1, 4])
def test_many_batches_at_once(concurrency: int) -> None:
    """Batches share the threads and lose nothing."""

    async def run() -> list[list[int]]:
        dog = Watchdog(5.0, 4096, concurrency)
        batches = [
            dog.each("f", lambda item: item + 1, list(range(start, start + 10)))
            for start in range(0, 200, 10)
        ]
        found = await asyncio.gather(*batches)
        dog.close()
        return found

    assert [value for batch in asyncio.run(run()) for value in batch] == list(range(1, 201))


def together(
    function: Callable[[int], Awaitable[Any]], *, count: int = 12, timeout_s: float = 0.6
) -> tuple[list[Any], Watchdog, Counter[int]]:
    """What each call came to, all of one scorer and at once; the watchdog; how often each item was
    begun.
    """
    begun: Counter[int] = Counter()

    def begin(item: int) -> Awaitable[Any]:
        begun[item] += 1
        return function(item)

    async def run() -> tuple[list[Any], Watchdog, Counter[int]]:
        dog = Watchdog(timeout_s, 4096, 8)

        async def one(item: int, first: Any) -> Any:
            try:
                return await dog.wait_for("f", first, lambda: dog.again("f", begin, item))
            except TimeoutError as error:
                return str(error)

        firsts = await dog.each("f", begin, list(range(count)))
        found = await asyncio.gather(*(one(item, first) for item, first in enumerate(firsts)))
        dog.close()
        return found, dog, begun

    return asyncio.run(run())


CUT = "took longer than 0.6 s and was cut off"


def test_a_coroutine_that_blocks_in_c_costs_no_other_its_result() -> None:
    """The loop is given up, and those that only waited on it begin again on another; the blocking
    one is not asked twice.
    """

    async def call(item: int) -> int:
        await asyncio.sleep(0.01)
        if item == 3:
            time.sleep(4)
        await asyncio.sleep(0.05)
        return item

    found, _, begun = together(call)
    assert found == [0, 1, 2, CUT, *range(4, 12)]
    assert begun[3] == 1
    assert max(begun.values()) == 2


def test_a_coroutine_that_blocks_in_python_is_ended_and_the_others_go_on_where_they_were() -> None:
    """No call begins twice: the loop turns again as soon as the blocking one is cut off."""

    async def call(item: int) -> int:
        await asyncio.sleep(0.01)
        until = time.monotonic() + (20 if item == 3 else 0)
        while time.monotonic() < until:
            time.sleep(0.005)
        await asyncio.sleep(0.05)
        return item

    found, _, begun = together(call)
    assert found == [0, 1, 2, CUT, *range(4, 12)]
    assert set(begun.values()) == {1}


def test_a_task_that_blocks_is_its_callers_fault() -> None:
    """A call may start tasks; whichever of them blocks, that call is the one that is cut off."""

    async def blocks(item: int) -> None:
        await asyncio.sleep(0.01)
        if item == 3:
            time.sleep(4)

    async def call(item: int) -> int:
        async with asyncio.TaskGroup() as group:
            group.create_task(blocks(item))
            group.create_task(asyncio.sleep(0.05))
        return item

    found, _, _ = together(call)
    assert found == [0, 1, 2, CUT, *range(4, 12)]


def test_one_that_only_waits_too_long_costs_only_itself() -> None:
    """The loop is kept: nobody begins twice."""

    async def call(item: int) -> int:
        await asyncio.sleep(20 if item == 3 else 0.05)
        return item

    found, _, begun = together(call)
    assert found == [0, 1, 2, CUT, *range(4, 12)]
    assert set(begun.values()) == {1}


def test_libraries_that_look_at_the_coroutine_of_a_task_find_it() -> None:
    """anyio, which is beneath the openai client, asks for the state of the task's coroutine."""
    anyio = pytest.importorskip("anyio")

    async def call(item: int) -> int:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 0.01)
        with anyio.move_on_after(0.05) as scope:
            await anyio.sleep(5)
        assert scope.cancelled_caught
        return item

    found, _, _ = together(call)
    assert found == list(range(12))


@pytest.mark.skipif(sys.platform == "win32", reason="usleep is of the C library elsewhere")
def test_no_call_pays_for_the_time_that_another_kept_the_interpreter() -> None:
    """However often: what it waited for could not go on meanwhile."""
    keeps = ctypes.PyDLL(None).usleep
    begun = threading.Event()

    def held(_: int) -> None:
        begun.wait(5)
        for _ in range(2):
            time.sleep(0.15)
            keeps(1_100_000)

    async def run() -> list[Any]:
        dog = Watchdog(2.0, 4096, 4)

        def waits(_: int) -> int:
            begun.set()
            time.sleep(2.7)  # of which the other takes 2.2
            return 7

        found = await asyncio.gather(
            dog.each("keeps", held, [0]), *(dog.each("waits", waits, [0]) for _ in range(3))
        )
        dog.close()
        return [results[0] for results in found[1:]]

    assert asyncio.run(run()) == [7, 7, 7]


@pytest.mark.skipif(sys.platform == "win32", reason="usleep is of the C library elsewhere")
def test_a_call_that_keeps_the_interpreter_is_named_and_costs_no_other_its_time() -> None:
    """While it lasts nothing can run, this watchdog neither; afterwards it is reported whose call
    it was, and nobody else is cut off.
    """
    keeps = ctypes.PyDLL(None).usleep  # unlike CDLL, it does not give up the interpreter's lock
    began = time.monotonic()

    async def run() -> tuple[list[Any], str]:
        dog = Watchdog(2.0, 4096, 4)
        held, waited = await asyncio.gather(
            dog.each("keeps", lambda _: keeps(3_000_000), [0]),
            dog.each("waits", lambda _: time.sleep(1.2) or 7, [0]),
        )
        assert not any(isinstance(result, BaseException) for result in held)
        dog.close()
        return waited, dog.stood_still

    waited, said = asyncio.run(run())
    took = time.monotonic() - began
    assert waited == [7]
    found = re.search(r"nothing else in this process could run for (\d+) s while keeps", said)
    assert found is not None
    assert 3 <= int(found[1]) <= round(took)  # 3, and what a busy machine adds to it
    assert "in a process of its own" in said


def test_nothing_is_said_of_calls_that_only_take_long() -> None:
    """A call that waits lets all others run."""

    async def run() -> str:
        dog = Watchdog(10.0, 4096, 4)
        await dog.each("waits", lambda _: time.sleep(3), [0])
        dog.close()
        return dog.stood_still

    assert asyncio.run(run()) == ""
