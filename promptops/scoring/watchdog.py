"""Calls of users' functions that may crash, hang or eat memory, kept from harming anything but
their own result.

Each call has a time limit, and a limit on how much the process may grow meanwhile (Linux). A call
beyond either is given up at once: its thread is asked to stop, which ends Python code but not a
wait inside a C function; what does not stop is named by `close()`. Threads are daemons, so a hung
one never keeps the interpreter from ending.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import queue
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from ..engine.pulse import Pulse
from ..engine.sideloop import GRACE_S, CutOff, SideCall, SideLoop, interrupt
from ..models.foreign import Raised

__all__ = ["Watchdog"]

T = TypeVar("T")
HUNG_IN_A_ROW = 3  # calls of one scorer after which it is not called again
_TICK_S = 0.1  # between two looks
# of the time between two looks, at most: where more passed, the whole process did not run, since it
# has no processor or one call keeps the interpreter, and no other call is to pay for that
_COUNTED_S = 0.3


class Watchdog:
    """Runs functions in up to `concurrency` threads, and coroutines on one event loop of their
    own.
    """

    def __init__(self, timeout_s: float, memory_mb: int, concurrency: int) -> None:
        self._timeout_s = timeout_s
        self._memory = memory_mb << 20
        self._permits = asyncio.Semaphore(concurrency)
        self._awaiting = asyncio.Semaphore(concurrency)
        self._idle: list[_Worker] = []
        self._cut: list[tuple[str, threading.Thread]] = []
        self._hung: Counter[str] = Counter()
        self._running: set[_Chunk[Any]] = set()
        self._side: SideLoop | None = None
        self._begun: set[str] = set()
        self._pulse = Pulse(self._names)
        # after `close`: what there is to say of a call that stopped the whole process
        self.stood_still = ""

    async def each(
        self, name: str, function: Callable[[T], object], items: Sequence[T]
    ) -> list[object]:
        """What the function gives for each item, or the exception that it raised or was cut off
        with; in order.
        """
        results: list[object] = []
        async with self._permits:
            while len(results) < len(items):
                if self._hung[name] >= HUNG_IN_A_ROW:
                    gone = TimeoutError(
                        f"not called: {HUNG_IN_A_ROW} calls in a row had to be cut off"
                    )
                    return results + [gone] * (len(items) - len(results))
                chunk = _Chunk(name, function, items[len(results) :])
                cut = await self._guard(chunk)
                results += chunk.results
                if chunk.results:
                    self._hung[name] = 0
                if cut is not None:
                    self._hung[name] += 1
                    results.append(cut)
        return results

    async def again(self, name: str, function: Callable[[T], object], item: T) -> object:
        """What the function gives for one item, or the exception: an awaitable that has not begun,
        where it is async.
        """
        [result] = await self.each(name, function, [item])
        return result

    async def wait_for(
        self, name: str, awaitable: Awaitable[object], again: Callable[[], Awaitable[object]]
    ) -> object:
        """The awaitable's result; raises what it raises, or TimeoutError.

        again: gives the awaitable again, or a result, where its loop was lost through a call of
            somebody else.
        """
        async with self._awaiting:
            while True:
                if self._hung[name] >= HUNG_IN_A_ROW:
                    getattr(awaitable, "close", lambda: None)()
                    raise TimeoutError(
                        f"not called: {HUNG_IN_A_ROW} calls in a row had to be cut off"
                    )
                if self._side is None or self._side.lost:
                    self._side = SideLoop()
                side = self._side
                call = side.submit(name, awaitable)
                self._begun.add(name)
                ended = await self._ended(side, call)
                if ended == "itself":
                    self._hung[name] = 0
                    return _result(call.future.result())
                if ended == "late":
                    self._hung[name] += 1
                    await self._cut_off(side, call)
                    raise self._too_long()
                if (
                    inspect.iscoroutine(awaitable)
                    and inspect.getcoroutinestate(awaitable) == inspect.CORO_CREATED
                ):
                    awaitable.close()
                found = await again()
                if not inspect.isawaitable(found):
                    return _result(found)
                awaitable = found

    async def _ended(self, side: SideLoop, call: SideCall) -> str:
        """Wait for a call: until it ended by "itself", is "late", or its loop is "lost".

        While another's code runs on the loop, its time does not count.
        """
        future, used = asyncio.wrap_future(call.future), 0.0
        try:
            while True:
                passed = await self._look([future])
                if future.done():
                    cut = not future.cancelled() and isinstance(future.exception(), CutOff)
                    return "lost" if cut else "itself"
                if side.lost:
                    return "lost"
                used += passed if side.blocker in (None, call) else 0.0
                if used > self._timeout_s:
                    return "late"
        finally:
            call.future.cancel()

    async def _cut_off(self, side: SideLoop, call: SideCall) -> None:
        """End a call that took too long; where its loop does not turn afterwards, the loop is given
        up.
        """
        blocker = side.blocker
        if blocker is call:
            interrupt(side.thread)
        if blocker in (None, call) and not await side.answers() and not side.lost:
            side.lost = True
            side.stop()
            self._cut.append((call.name, side.thread))

    def _too_long(self) -> TimeoutError:
        return TimeoutError(f"took longer than {self._timeout_s:g} s and was cut off")

    def _names(self) -> list[str]:
        """Whose calls ran since this was asked before."""
        begun, self._begun, side = self._begun, set(), self._side
        blocker = side.blocker if side is not None else None
        return [
            *begun,
            *(chunk.name for chunk in list(self._running)),
            *([blocker.name] if blocker is not None else []),
        ]

    def close(self) -> list[str]:
        """Ends the threads; the names of calls whose threads did not stop, one for each."""
        for worker in self._idle:
            worker.queue.put(None)
        self._idle.clear()
        for chunk in self._running:
            if chunk.give_up() and chunk.thread is not None:
                interrupt(chunk.thread)
        if self._side is not None:
            self._side.stop()
        self.stood_still = self._pulse.close()
        until = time.monotonic() + GRACE_S
        for _, thread in self._cut:
            thread.join(max(0.0, until - time.monotonic()))
        return [name for name, thread in self._cut if thread.is_alive()]

    async def _guard(self, chunk: _Chunk[T]) -> BaseException | None:
        """Runs a chunk in a thread; None when it is through, or why its current item was cut
        off.
        """
        worker = self._idle.pop() if self._idle else _Worker()
        chunk.thread = worker.thread
        finished = asyncio.wrap_future(chunk.finished)
        self._running.add(chunk)
        self._begun.add(chunk.name)
        worker.queue.put(chunk)
        try:
            while True:
                passed = await self._look([finished])
                if finished.done():
                    self._idle.append(worker)
                    return None
                why = self._verdict(chunk, passed)
                if why is not None and chunk.give_up():
                    interrupt(worker.thread)
                    self._cut.append((chunk.name, worker.thread))
                    return why
        finally:
            self._running.discard(chunk)

    async def _look(self, futures: Sequence[asyncio.Future[T]]) -> float:
        """Wait a little; the seconds that count.

        Where this loop itself stood still, anyone who it waits for may have stood too.
        """
        before = time.monotonic()
        await asyncio.wait(futures, timeout=min(_TICK_S, self._timeout_s))
        return min(time.monotonic() - before, _COUNTED_S)

    def _verdict(self, chunk: _Chunk[T], passed: float) -> BaseException | None:
        """Why the chunk's current call must end, or None."""
        memory = _resident()
        if chunk.watched != chunk.index:
            chunk.watched, chunk.memory, chunk.used = chunk.index, memory, 0.0
        chunk.used += passed
        if chunk.used > self._timeout_s:
            return self._too_long()
        grown = memory - chunk.memory
        if grown > self._memory and chunk is min(self._running, key=lambda other: other.started):
            for other in self._running:
                other.memory = memory
            return MemoryError(
                f"the process grew by {grown >> 20:,} MB while it ran, and it was cut off"
            )
        return None


class _Chunk(Generic[T]):
    """Items for one function, worked off in a thread; `give_up` closes the results to what the
    thread still does.
    """

    def __init__(self, name: str, function: Callable[[T], object], items: Sequence[T]) -> None:
        self.name = name
        self.results: list[object] = []
        self.finished: Future[None] = Future()
        self.index = 0
        self.started = time.monotonic()
        self.watched, self.memory, self.used = -1, 0, 0.0
        self.thread: threading.Thread | None = None
        self._function = function
        self._items = items
        self._lock = threading.Lock()
        self._closed = False

    def run(self) -> None:
        for item in self._items:
            self.started = time.monotonic()
            try:
                result = self._function(item)
            except CutOff:
                raise
            except BaseException as error:
                result = error
            with self._lock:
                if self._closed:
                    raise CutOff  # the thread ends with the call that was given up
                self.results.append(result)
                self.index += 1
        with self._lock:
            if not self._closed:
                self._closed = True
                self.finished.set_result(None)

    def give_up(self) -> bool:
        """Whether the chunk was still running: from now on nothing is added."""
        with self._lock:
            still, self._closed = not self._closed, True
            return still


class _Worker:
    def __init__(self) -> None:
        self.queue: queue.SimpleQueue[_Chunk[Any] | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._work, name="promptops-scorer", daemon=True)
        self.thread.start()

    def _work(self) -> None:
        try:
            while (chunk := self.queue.get()) is not None:
                chunk.run()
                del chunk
        except CutOff:
            return


def _result(found: object) -> object:
    """What was given; raises what was raised."""
    if isinstance(found, Raised):
        raise found.error
    if isinstance(found, BaseException):
        raise found
    return found


def _resident() -> int:
    """Bytes of memory that the process holds; 0 if the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
