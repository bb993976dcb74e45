"""Calls of users' functions that may crash, hang or eat memory, kept from harming anything but their own result.

Each call has a time limit, and a limit on how much the process may grow meanwhile (Linux). A call beyond either is
given up at once: its thread is told to stop, which ends Python code but not a wait inside a C function; what does not
stop is named by `close()`. Threads are daemons, so a hung one never keeps the interpreter from ending.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import queue
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from typing import Any

from ..models.foreign import Raised, turn

__all__ = ["Watchdog"]

HUNG_IN_A_ROW = 3  # calls of one scorer after which it is not called again
_TICK_S = 0.1  # between two looks at the memory
_GRACE_S = 0.5  # for threads to stop, at the end


class _CutOff(BaseException):
    """Raised inside a thread that is told to stop; not an Exception, so that `except Exception` does not swallow it."""


class Watchdog:
    """Runs functions in up to `concurrency` threads, and coroutines on one event loop of their own."""

    def __init__(self, timeout_s: float, memory_mb: int, concurrency: int) -> None:
        self._timeout_s = timeout_s
        self._memory = memory_mb << 20
        self._permits = asyncio.Semaphore(concurrency)
        self._awaiting = asyncio.Semaphore(concurrency)
        self._idle: list[_Worker] = []
        self._cut: list[tuple[str, threading.Thread]] = []
        self._hung: Counter[str] = Counter()
        self._running: set[_Chunk] = set()
        self._side: _SideLoop | None = None

    async def each(self, name: str, function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        """What the function gives for each item, or the exception that it raised or was cut off with; in order."""
        results: list[Any] = []
        async with self._permits:
            while len(results) < len(items):
                if self._hung[name] >= HUNG_IN_A_ROW:
                    gone = TimeoutError(f"not called: {HUNG_IN_A_ROW} calls in a row had to be cut off")
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

    async def wait_for(self, name: str, awaitable: Awaitable[Any]) -> Any:
        """The awaitable's result; raises what it raises, or TimeoutError."""
        async with self._awaiting:
            if self._hung[name] >= HUNG_IN_A_ROW:
                getattr(awaitable, "close", lambda: None)()
                raise TimeoutError(f"not called: {HUNG_IN_A_ROW} calls in a row had to be cut off")
            side = self._side = self._side or _SideLoop()
            future = side.submit(awaitable)
            try:
                result = await asyncio.wait_for(asyncio.wrap_future(future), self._timeout_s)
            except TimeoutError:
                self._hung[name] += 1
                if not await side.answers() and self._side is side:
                    self._stop(name, side.thread)
                    self._side = None
                raise TimeoutError(f"took longer than {self._timeout_s:g} s and was cut off") from None
            self._hung[name] = 0
            if isinstance(result, Raised):
                raise result.error
            return result

    def close(self) -> list[str]:
        """Ends the threads; the names of calls whose threads did not stop, one for each."""
        for worker in self._idle:
            worker.queue.put(None)
        self._idle.clear()
        for chunk in self._running:
            chunk.give_up()
        if self._side is not None:
            self._side.stop()
        until = time.monotonic() + _GRACE_S
        for _, thread in self._cut:
            thread.join(max(0.0, until - time.monotonic()))
        return [name for name, thread in self._cut if thread.is_alive()]

    async def _guard(self, chunk: _Chunk) -> BaseException | None:
        """Runs a chunk in a thread; None when it is through, or why its current item was cut off."""
        worker = self._idle.pop() if self._idle else _Worker()
        chunk.thread = worker.thread
        finished = asyncio.wrap_future(chunk.finished)
        self._running.add(chunk)
        worker.queue.put(chunk)
        try:
            while True:
                await asyncio.wait([finished], timeout=min(_TICK_S, self._timeout_s))
                if finished.done():
                    self._idle.append(worker)
                    return None
                why = self._verdict(chunk)
                if why is not None and chunk.give_up():
                    self._stop(chunk.name, worker.thread)
                    return why
        finally:
            self._running.discard(chunk)

    def _verdict(self, chunk: _Chunk) -> BaseException | None:
        """Why the chunk's current call must end, or None."""
        if time.monotonic() - chunk.started > self._timeout_s:
            return TimeoutError(f"took longer than {self._timeout_s:g} s and was cut off")
        memory = _resident()
        if chunk.watched != chunk.index:
            chunk.watched, chunk.memory = chunk.index, memory
        grown = memory - chunk.memory
        if grown > self._memory and chunk is min(self._running, key=lambda other: other.started):
            for other in self._running:
                other.memory = memory
            return MemoryError(f"the process grew by {grown >> 20:,} MB while it ran, and it was cut off")
        return None

    def _stop(self, name: str, thread: threading.Thread) -> None:
        if thread.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_CutOff))
        self._cut.append((name, thread))


class _Chunk:
    """Items for one function, worked off in a thread; `give_up` closes the results to what the thread still does."""

    def __init__(self, name: str, function: Callable[[Any], Any], items: Sequence[Any]) -> None:
        self.name = name
        self.results: list[Any] = []
        self.finished: Future[None] = Future()
        self.index = 0
        self.started = time.monotonic()
        self.watched, self.memory = -1, 0
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
            except _CutOff:
                raise
            except BaseException as error:
                result = error
            with self._lock:
                if self._closed:
                    raise _CutOff  # the thread ends with the call that was given up
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
        self.queue: queue.SimpleQueue[_Chunk | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._work, name="promptops-scorer", daemon=True)
        self.thread.start()

    def _work(self) -> None:
        try:
            while (chunk := self.queue.get()) is not None:
                chunk.run()
                del chunk
        except _CutOff:
            return


class _SideLoop:
    """An event loop in a thread, for users' coroutines: one that blocks it blocks nothing else."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._work, name="promptops-scorer-loop", daemon=True)
        self.thread.start()

    def _work(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            turn(self.loop)
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.close()
        except _CutOff:
            return

    def submit(self, awaitable: Awaitable[Any]) -> Future[Any]:
        async def run() -> Any:
            try:
                return await awaitable
            except _CutOff:
                raise
            except BaseException as error:  # raised here, an interrupt would end the loop
                return Raised(error)

        return asyncio.run_coroutine_threadsafe(run(), self.loop)

    async def answers(self) -> bool:
        """Whether the loop still turns."""
        ping = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self.loop)
        try:
            await asyncio.wait_for(asyncio.wrap_future(ping), _GRACE_S)
        except TimeoutError:
            return False
        return True

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)


def _resident() -> int:
    """Bytes of memory that the process holds; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
