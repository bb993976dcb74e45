"""An event loop for users' coroutines, in a thread of its own, that knows whose step it is running.

All coroutines share it, because clients and locks of one loop cannot be used on another. So one
that blocks the loop stops all of them, and anyone who keeps time has to know whose fault that is:
`blocker` says it, also for tasks that a call started.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Coroutine, Generator
from concurrent.futures import Future
from typing import Any

from ..models.foreign import Raised, turn

__all__ = ["CutOff", "SideCall", "SideLoop", "interrupt"]

GRACE_S = 0.5  # for a loop or a thread to answer


class CutOff(BaseException):
    """Raised inside a thread that has to stop; not an Exception, so that `except Exception` does
    not swallow it.
    """


def interrupt(thread: threading.Thread) -> None:
    """Raise CutOff in the thread, as soon as it runs Python code."""
    import ctypes

    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(CutOff)
        )


class SideCall:
    """One awaitable on a side loop. future: its result, or Raised."""

    def __init__(self, name: str, awaitable: Awaitable[object]) -> None:
        self.name = name
        self.future: Future[object]
        self._awaitable = awaitable

    async def run(self) -> object:
        """Its result, or Raised: an interrupt that is raised here would end the loop."""
        try:
            return await self._awaitable
        except CutOff:
            raise
        except BaseException as error:
            return Raised(error)


class SideLoop:
    """lost: whether the loop is given up, so that its calls have to begin again on another one."""

    def __init__(self) -> None:
        self.lost = False
        self._running: SideCall | None = None
        self._loop = asyncio.new_event_loop()
        self._loop.set_task_factory(self._task)
        self.thread = threading.Thread(target=self._work, name="promptops-scorer-loop", daemon=True)
        self.thread.start()

    @property
    def blocker(self) -> SideCall | None:
        """The call whose code the loop is executing at this moment; None if it waits."""
        return self._running

    def submit(self, name: str, awaitable: Awaitable[object]) -> SideCall:
        """Start it on the loop."""
        call = SideCall(name, awaitable)
        call.future = asyncio.run_coroutine_threadsafe(_Steps(self, call, call.run()), self._loop)
        return call

    async def answers(self) -> bool:
        """Whether the loop still turns."""
        ping = asyncio.run_coroutine_threadsafe(_Steps(self, None, asyncio.sleep(0)), self._loop)
        try:
            await asyncio.wait_for(asyncio.wrap_future(ping), GRACE_S)
        except TimeoutError:
            return False
        return True

    def stop(self) -> None:
        """End what runs on it, and its thread, as soon as the loop turns."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    def step(self, call: SideCall | None) -> SideCall | None:
        """The loop executes this call's code from now on; returns whose it executed before."""
        before, self._running = self._running, call
        return before

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            turn(self._loop)
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()
        except CutOff:  # it came a moment too late for the call that it was meant for
            self.lost = True

    def _task(
        self, loop: asyncio.AbstractEventLoop, work: Any, **options: Any
    ) -> asyncio.Task[Any]:
        """A task belongs to the call that started it."""
        parent = asyncio.current_task(loop)
        above = parent.get_coro() if parent is not None else None
        if isinstance(above, _Steps) and not isinstance(work, _Steps) and asyncio.iscoroutine(work):
            work = _Steps(self, above.call, work)
        return asyncio.Task(work, loop=loop, **options)


class _Steps(Coroutine[object, object, object]):
    """A coroutine whose steps are noted at its loop.

    Anyone who inspects it sees the coroutine itself.
    """

    def __init__(
        self, side: SideLoop, call: SideCall | None, work: Coroutine[object, object, object]
    ) -> None:
        self._side, self.call, self._work = side, call, work

    def send(self, value: object) -> object:
        """One step on."""
        before = self._side.step(self.call)
        try:
            return self._work.send(value)
        finally:
            self._side.step(before)

    def throw(self, *error: Any) -> object:
        """One step on, with what was raised where it waited."""
        before = self._side.step(self.call)
        try:
            return self._work.throw(*error)
        finally:
            self._side.step(before)

    def close(self) -> None:
        """End it where it waits."""
        self._work.close()

    def __await__(self) -> Generator[object, object, object]:
        return self._work.__await__()

    def __getattr__(self, name: str) -> object:
        return getattr(self._work, name)

    def __del__(self) -> None:
        self._work.close()  # one that never began is not to be warned of: its loop was lost
