"""Finished runs are recorded in groups, in a thread of its own: a slow disk or scorer lengthens no
call that is in flight.

While a group is being written the next one gathers, so that groups grow with the load. A run counts
only once it is recorded. What could not be recorded is tried once more at the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from ..models.foreign import Raised, as_exception, tried
from ..run import Attempt, Run
from .progress import Ledger

__all__ = ["Finished", "Recorder"]

GATHER_S = 0.005  # that the first run of a group waits for others, at most
GROUP = 500  # runs written at once, at most
Finished = tuple[Run, list[Attempt], bool]  # the bool: whether its cost is to be known


class Recorder:
    """Takes finished runs on one event loop, where `run` is awaited as a task of its own.

    record(runs, attempts): keeps a group durably; take(runs): the same runs afterwards; then the
    ledger has counted them.
    on_group: called on the loop with the runs of a recorded group, and the exception that `record`
        or `take` raised, or None.
    error: what is left to report at the end: `record` failed twice, or `take` failed (it is not
        called again after that).
    """

    def __init__(
        self,
        record: Callable[[Sequence[Run], Sequence[Attempt]], object],
        take: Callable[[Sequence[Run]], object] | None,
        ledger: Ledger,
        on_group: Callable[[Sequence[Run], Exception | None], None],
    ) -> None:
        self._record, self._take, self._ledger, self._on_group = record, take, ledger, on_group
        self._gathered: list[Finished] = []
        self._some = asyncio.Event()
        self._due: asyncio.TimerHandle | None = None
        self.enough = (
            GROUP  # runs that are worth a group at once; the sweep knows how many it can wait for
        )
        self._closing = False
        self._failed = 0  # groups that could not be recorded
        self.error: Exception | None = None

    def add(self, finished: Finished) -> None:
        """One run more to record."""
        self._gathered.append(finished)
        if len(self._gathered) >= self.enough:
            self._some.set()
        elif self._due is None:
            self._due = asyncio.get_running_loop().call_later(GATHER_S, self._some.set)

    def close(self) -> None:
        """No more will come: `run` ends when all is recorded."""
        self._closing = True
        self._some.set()

    async def run(self) -> None:
        """Record until closed.

        Where the loop itself ends first, what is finished is recorded on the spot.
        """
        try:
            await self._groups()
        except asyncio.CancelledError:
            if self._gathered:
                group, self._gathered = self._gathered, []
                self._write([run for run, _, _ in group], group)
            raise

    async def _groups(self) -> None:
        with ThreadPoolExecutor(1, thread_name_prefix="promptops-recorder") as thread:
            while self._gathered or not self._closing:
                await self._some.wait()
                self._some.clear()
                if self._due is not None:
                    self._due.cancel()
                    self._due = None
                if self._failed and not self._closing:
                    continue  # the sweep is being stopped; the end will try again
                await self._commit(thread)
                if self._failed > 1:
                    return
                if self._gathered or self._closing:
                    self._some.set()

    async def _commit(self, thread: ThreadPoolExecutor) -> None:
        group, self._gathered = self._gathered[:GROUP], self._gathered[GROUP:]
        if not group:
            return
        runs = [run for run, _, _ in group]
        try:
            await _run_in(thread, self._write, runs, group)
        except Exception as error:
            self._failed += 1
            self._gathered = group + self._gathered
            self.error = error if self._failed > 1 else self.error
            self._on_group((), error)
            return
        self._on_group(runs, None)
        try:
            if self._take is not None:
                await _run_in(thread, self._take, runs)
        except Exception as error:
            self._take, self.error = None, error
            self._on_group((), error)

    def _write(self, runs: list[Run], group: list[Finished]) -> None:
        attempts = [attempt for _, tried, _ in group for attempt in tried]
        self._record(runs, attempts)
        self._ledger.add(runs, attempts, [away for _, _, away in group])


async def _run_in(
    thread: ThreadPoolExecutor, function: Callable[..., object], *arguments: object
) -> None:
    """In the thread; on the spot if the interpreter is ending, because threads take no more work
    then. Raises only an Exception.
    """
    try:
        work = asyncio.get_running_loop().run_in_executor(thread, tried, function, *arguments)
    except RuntimeError:
        function(*arguments)
        return
    result = await asyncio.shield(work)  # a loop that ends takes nothing back from the thread
    if isinstance(result, Raised):
        raise as_exception(result.error)
