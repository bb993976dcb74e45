"""The watchdog: a call that crashes, hangs or eats memory harms nothing but its own result."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from promptops.engine.watchdog import Watchdog


def through(function: Any, items: list[Any], *, timeout_s: float = 5.0, memory_mb: int = 4096) -> tuple[list[Any], list[str]]:
    async def run() -> tuple[list[Any], list[str]]:
        dog = Watchdog(timeout_s, memory_mb, 2)
        results = await dog.each("f", function, items)
        return results, dog.close()

    return asyncio.run(run())


def test_results_in_order_and_exceptions_as_values() -> None:
    """Every item has its result or its exception, in order; system exits and interrupts are only results too."""

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
    """A Python loop beyond its time ends with TimeoutError, even where it swallows exceptions; its thread ends."""

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
    """Users' coroutines run in a loop of their own; a blocking one is cut off and the next one is served."""

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

        found: list[Any] = [await dog.wait_for("good", good())]
        for name, coroutine in (("blocks", blocks()), ("raises", raises())):
            try:
                found.append(await dog.wait_for(name, coroutine))
            except TimeoutError as error:
                found.append(str(error))
        found.append(await dog.wait_for("good", good()))
        dog.close()
        return found

    started = time.monotonic()
    assert asyncio.run(run()) == [7, "took longer than 0.4 s and was cut off", "its own", 7]
    assert time.monotonic() - started < 15


def test_threads_end() -> None:
    """After close, no worker thread of an ended call is left."""
    through(lambda item: item, list(range(10)))
    until = time.monotonic() + 5
    while time.monotonic() < until and any(thread.name == "promptops-scorer" for thread in threading.enumerate()):
        time.sleep(0.05)
    assert not any(thread.name == "promptops-scorer" for thread in threading.enumerate())


@pytest.mark.parametrize("concurrency", [1, 4])
def test_many_batches_at_once(concurrency: int) -> None:
    """Batches share the threads and lose nothing."""

    async def run() -> list[list[int]]:
        dog = Watchdog(5.0, 4096, concurrency)
        batches = [dog.each("f", lambda item: item + 1, list(range(start, start + 10))) for start in range(0, 200, 10)]
        found = await asyncio.gather(*batches)
        dog.close()
        return found

    assert [value for batch in asyncio.run(run()) for value in batch] == list(range(1, 201))
