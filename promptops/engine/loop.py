"""A private event loop in a worker thread, so that a notebook cell ends at once while its calls go
on.

Nothing is patched and the kernel's own loop is never touched. The thread is a daemon and starts
with the first `submit`; a forked child starts its own. The context variables of the submitting
thread hold inside the coroutine. At the interpreter's end what still runs is cancelled and gets a
moment to put things away.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from ..errors import SetupError
from ..models.foreign import turn

__all__ = ["Background", "refuse_at_exit"]

T = TypeVar("T")
_THREADS = 256  # sync work that may run at once for the loop; threads start as they are needed
_GOODBYE_S = 2.0  # that the interpreter's end waits for the loop's


class _Work(Future[T]):
    """Of a coroutine on a loop: a Future of the standard library is not cancelled once it runs."""

    task: asyncio.Task[object] | None = None

    def cancel(self) -> bool:
        """Whether it was not done yet; its coroutine ends as soon as it can."""
        if super().cancel():
            return True
        if self.done() or self.task is None:
            return False
        with contextlib.suppress(RuntimeError):  # a loop that is closed has cancelled it
            self.task.get_loop().call_soon_threadsafe(self.task.cancel)
        return True


class Background:
    """Runs coroutines on one loop of its own; safe to share between threads."""

    def __init__(self, name: str = "promptops") -> None:
        self._name = name
        self._lock = threading.Lock()
        self._pid = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, started if it does not run in this process yet."""
        if self._pid != os.getpid():
            self._lock = threading.Lock()  # a fork may have copied it locked
        with self._lock:
            if self._loop is None or self._pid != os.getpid() or self._loop.is_closed():
                self._loop, self._pid = self._started(), os.getpid()
            return self._loop

    def submit(
        self, work: Coroutine[object, object, T], begun: Callable[[Future[T]], None] | None = None
    ) -> Future[T]:
        """Start the coroutine; its result is the future's. Cancelling the future cancels it, also
        when it runs already.

        Args:
            work: the coroutine.
            begun: called on the loop's thread with the future, before the first step of the work: a
                caller that an interrupt takes out of this function has the future nevertheless.

        Raises RuntimeError when called on the loop's own thread, where waiting for the future would
        never end.
        """
        loop, done = self.loop, _Work[T]()
        if self.inside:
            work.close()
            raise RuntimeError(
                "this runs on the worker's own loop: await the coroutine instead of submitting it."
            )
        context = contextvars.copy_context()

        def start() -> None:
            if begun is not None:
                begun(done)
            done.task = task = loop.create_task(work, context=context)
            if done.set_running_or_notify_cancel():
                task.add_done_callback(lambda ended: _copy(ended, done))
            else:
                task.cancel()

        loop.call_soon_threadsafe(start)
        return done

    def finish(self, work: Coroutine[object, object, T]) -> T:
        """Run the coroutine and wait for its result; an interrupt ends it.

        Raises what it raises, and as `submit` does.
        """
        done = self.submit(work)
        try:
            return done.result()
        except KeyboardInterrupt:
            done.cancel()
            raise

    @property
    def inside(self) -> bool:
        """Whether the caller is on the loop's thread."""
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False

    def close(self) -> None:
        """Cancel what runs and end the thread; the next submit starts again."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is None or self._pid != os.getpid() or loop.is_closed():
            return
        loop.call_soon_threadsafe(loop.stop)

    def _started(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        loop.set_default_executor(
            ThreadPoolExecutor(_THREADS, thread_name_prefix=f"{self._name}-sync")
        )
        if self._thread is None:
            atexit.register(_goodbye, weakref.WeakMethod(self._end))
        self._thread = threading.Thread(target=_serve, args=(loop,), name=self._name, daemon=True)
        self._thread.start()
        return loop

    def _end(self) -> None:
        """At the interpreter's end: what runs is cancelled and gets a moment; a forked child leaves
        its parent's thread alone.
        """
        if self._thread is not None and self._pid == os.getpid():
            self.close()
            self._thread.join(_GOODBYE_S)


def refuse_at_exit() -> None:
    """Raises SetupError once the interpreter is ending: then no thread of a pool can be started, so
    that calls would be paid for and their answers not be kept.
    """
    pool = ThreadPoolExecutor(1)
    try:
        pool.submit(int)
    except RuntimeError as error:
        if "shutdown" not in str(error):
            raise
        raise SetupError(
            "this program is ending, and nothing can be evaluated or searched in it any more; call"
            " it before the last line, not in an atexit function or a finalizer."
        ) from None
    finally:
        pool.shutdown(wait=False)


def _goodbye(method: weakref.WeakMethod[Callable[[], None]]) -> None:
    end = method()
    if end is not None:
        end()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        turn(loop)
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def _copy(task: asyncio.Task[T], done: Future[T]) -> None:
    if task.cancelled():
        done.set_exception(asyncio.CancelledError())
    elif (error := task.exception()) is not None:
        done.set_exception(error)
    else:
        done.set_result(task.result())
